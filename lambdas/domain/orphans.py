"""What crashed uploads leave in a bucket: versions of objects that belong to no backup."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.domain.backup import CatalogRow, manifest_key

SETTLED = timedelta(days=2)
"""Younger versions may belong to a backup that is being made, or to a run that is started again."""


@dataclass(frozen=True)
class Version:
    """One version of an object in a bucket; `size` in bytes."""

    key: str
    id: str
    size: int
    written_at: datetime


def orphans(versions: Sequence[Version], rows: Iterable[CatalogRow], now: datetime) -> list[Version]:
    """The settled versions that belong to no backup: an object without a manifest, or another one than its row names.

    A version that has a manifest is left alone unless the very version that the catalog names is there beside it: a
    catalog that is lost or rewound makes no orphans.
    """
    named = {key: version for row in rows for key, version in row.versions}
    there = {(each.key, each.id) for each in versions}
    keys = {each.key for each in versions}

    def is_orphan(version: Version) -> bool:
        if version.key in named:
            return version.id != named[version.key] and (version.key, named[version.key]) in there
        return version.key.endswith(".enc") and manifest_key(version.key) not in keys

    return [each for each in versions if now - each.written_at > SETTLED and is_orphan(each)]
