"""Where bucket and catalog differ: versions of no backup, backups without a row, and rows without their backup."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.domain.backup import MANIFEST_SUFFIX, OBJECT_SUFFIX, CatalogRow, manifest_key

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
        return version.key.endswith(OBJECT_SUFFIX) and manifest_key(version.key) not in keys

    return [each for each in versions if now - each.written_at > SETTLED and is_orphan(each)]


def unlisted(versions: Sequence[Version], rows: Iterable[CatalogRow], now: datetime) -> list[Version]:
    """The versions of backups that have a settled manifest and no row: whoever wrote it died before the row."""
    named = {key for row in rows for key, _ in row.versions}
    settled = {each.key for each in versions if each.key.endswith(MANIFEST_SUFFIX) and each.key not in named}
    settled -= {each.key for each in versions if now - each.written_at <= SETTLED}
    return [each for each in versions if each.key in settled or manifest_key(each.key) in settled]


def not_there(versions: Sequence[Version], rows: Iterable[CatalogRow]) -> list[CatalogRow]:
    """The rows of a catalog whose object or manifest, in the very version that they name, is gone."""
    there = {(each.key, each.id) for each in versions}
    return [row for row in rows if not there.issuperset(row.versions)]
