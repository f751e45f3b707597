"""What crashed uploads leave, told apart from every backup."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.backup import CatalogRow, manifest_key
from lambdas.domain.orphans import SETTLED, Version, not_there, orphans, unlisted
from tests.domain.builders import row_of

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
ROW = replace(row_of(), version_id="v2", manifest_version="m2")


def version(key: str, name: str, at: datetime = LONG_AGO) -> Version:
    return Version(key, name, 1000, at)


def of(row: CatalogRow) -> list[Version]:
    return [version(key, name) for key, name in row.versions]


def test_a_backup_is_no_orphan() -> None:
    assert orphans(of(ROW), [ROW], NOW) == []


def test_an_object_that_never_got_a_manifest_is_one() -> None:
    left = version("vault/daily/2026-11-01/vault-snapshot-20261101T020000Z.enc", "v1")
    assert orphans([*of(ROW), left], [ROW], NOW) == [left]


def test_an_earlier_upload_of_the_same_backup_is_one() -> None:
    left = [version(ROW.key, "v1"), version(manifest_key(ROW.key), "m1")]
    assert orphans([*of(ROW), *left], [ROW], NOW) == left


def test_what_is_young_may_be_on_its_way() -> None:
    young = version(ROW.key, "v3", NOW - SETTLED)
    assert orphans([*of(ROW), young], [ROW], NOW) == []


def test_a_rewound_catalog_that_names_a_version_that_is_gone_makes_no_orphan() -> None:
    rewound = replace(ROW, version_id="v1", manifest_version="m1")
    assert orphans(of(ROW), [rewound], NOW) == []


@given(lost=st.sets(st.integers(0, 9)), hidden=st.sets(st.integers(0, 9)))
def test_whatever_the_catalog_has_lost_no_backup_with_a_manifest_is_an_orphan(lost: set[int], hidden: set[int]) -> None:
    rows = [
        replace(row_of(LONG_AGO + timedelta(days=i)), version_id=f"v{i}", manifest_version=f"m{i}") for i in range(10)
    ]
    known = [row for i, row in enumerate(rows) if i not in lost]
    extra = [version(rows[i].key, "x") for i in hidden]
    found = orphans([each for row in rows for each in of(row)] + extra, known, NOW)
    assert set(found) <= set(extra)


def test_a_backup_without_a_row_is_unlisted_when_its_manifest_has_settled() -> None:
    other = replace(row_of(LONG_AGO), version_id="v9", manifest_version="m9")
    assert unlisted([*of(ROW), *of(other)], [ROW], NOW) == of(other)
    young = [version(other.key, "v9"), version(manifest_key(other.key), "m9", NOW - SETTLED)]
    assert unlisted([*of(ROW), *young], [ROW], NOW) == []


def test_neither_a_version_beside_a_row_nor_an_object_without_a_manifest_is_an_unlisted_backup() -> None:
    beside = version(manifest_key(ROW.key), "m1")
    alone = version("vault/daily/2026-11-01/vault-snapshot-20261101T020000Z.enc", "v1")
    assert unlisted([*of(ROW), beside, alone], [ROW], NOW) == []


@pytest.mark.parametrize("lost", [0, 1])
def test_a_backup_whose_object_or_manifest_is_gone_is_not_there(lost: int) -> None:
    other = replace(row_of(LONG_AGO), version_id="v1", manifest_version="m1")
    left = [each for each in of(ROW) if each.id != ROW.versions[lost][1]]
    newer = version(ROW.versions[lost][0], "x")  # another version does not stand in for it
    assert not_there([*left, newer, *of(other)], [ROW, other]) == [ROW]
    assert not_there([*of(ROW), *of(other)], [ROW, other]) == []
