"""The identity of a backup, the manifest beside it, and how far it has been proved."""

import json
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.backup import (
    BackupName,
    ProofLevel,
    Series,
    Signature,
    manifest_key,
    may_raise,
    reaches,
    read_backup_id,
    wrapping_context,
)
from lambdas.domain.errors import BackupMisplaced, ManifestInvalid
from lambdas.domain.inventory import Inventory, SecretDigest
from lambdas.domain.manifest import format_of, of_kind, read_lone_manifest, read_manifest
from lambdas.domain.vault_manifest import VaultManifest
from tests.domain.builders import NAME, STARTED, manifest_of, row_of

LEVELS: tuple[ProofLevel, ...] = ("stored", "intact", "restorable", "proven")


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "id_", "key"),
    [
        (
            "daily",
            "vault-snapshot-20261122T020000Z",
            "vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.enc",
        ),
        (
            "pre-restore",
            "vault-pre-restore-20261122T020000Z",
            "vault/pre-restore/2026-11-22/vault-pre-restore-20261122T020000Z.enc",
        ),
    ],
)
def test_a_backup_is_named_after_its_kind_its_series_and_its_time(series: Series, id_: str, key: str) -> None:
    name = BackupName("vault", series, datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC))
    assert (name.id, name.key, name.date) == (id_, key, "2026-11-22")


@pytest.mark.parametrize(
    ("series", "id_", "key"),
    [
        (
            "daily",
            "smtpy_20261122_030000.sql.gz",
            "database/daily/2026-11-22/smtpy_20261122_030000.sql.gz.enc",
        ),
        (
            "pre-restore",
            "smtpy-pre-restore_20261122_030000.sql.gz",
            "database/pre-restore/2026-11-22/smtpy-pre-restore_20261122_030000.sql.gz.enc",
        ),
    ],
)
def test_a_dump_has_the_name_that_the_plan_gives_its_file(series: Series, id_: str, key: str) -> None:
    name = BackupName("database", series, datetime(2026, 11, 22, 3, 0, 0, tzinfo=UTC), "smtpy")
    assert (name.id, name.key, name.date) == (id_, key, "2026-11-22")
    assert manifest_key(key) == key.removesuffix(".enc") + ".manifest.json"


MOMENTS = st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone


@given(st.sampled_from(get_args(Series)), MOMENTS)
def test_an_id_tells_the_snapshot_that_it_names(series: Series, started: datetime) -> None:
    name = BackupName("vault", series, started.replace(microsecond=0))
    assert read_backup_id(name.id) == name


@given(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,37}", fullmatch=True), st.sampled_from(["daily", "pre-restore"]), MOMENTS
)
def test_an_id_tells_the_dump_that_it_names(database: str, series: Series, started: datetime) -> None:
    name = BackupName("database", series, started.replace(microsecond=0), database)
    assert read_backup_id(name.id) == name


@pytest.mark.parametrize(
    "text",
    ["", "None", "vault-20261122T020000Z", "vault-weekly-20261122T020000Z", "vault-snapshot-20260231T020000Z"],
)
def test_what_is_no_id_names_no_backup(text: str) -> None:
    assert read_backup_id(text) is None


def test_the_manifest_lies_beside_its_object() -> None:
    assert manifest_key(NAME.key) == "vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.manifest.json"


def test_the_encryption_names_the_backup_so_that_no_other_can_stand_in_for_it() -> None:
    assert NAME.encryption_context == {
        "purpose": "backup",
        "backup_id": "vault-snapshot-20261122T020000Z",
        "kind": "vault",
        "date": "2026-11-22",
    }


def test_a_wrapped_key_names_the_backup_too() -> None:
    context = wrapping_context("seal-key", "vault-seal-key/k1", NAME.id)
    assert context == {"purpose": "seal-key", "name": "vault-seal-key/k1", "backup_id": NAME.id}


# --- proof ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("wanted", LEVELS)
def test_a_level_of_proof_includes_the_ones_before_it(level: ProofLevel, wanted: ProofLevel) -> None:
    assert reaches(level, wanted) == (LEVELS.index(wanted) <= LEVELS.index(level))


@pytest.mark.parametrize("level", LEVELS)
def test_what_its_own_operation_has_not_proved_no_other_one_makes_good(level: ProofLevel) -> None:
    row = row_of(proof=level)
    assert may_raise(row, row.operation_id)
    assert may_raise(row, "another") == (level != "stored")


# --- manifests --------------------------------------------------------------------------------------------


def read(raw: bytes, backup_id: str = NAME.id, key: str = NAME.key) -> VaultManifest:
    return of_kind(read_manifest(raw, backup_id, key), VaultManifest)


def refusal_of(raw: bytes) -> str:
    with pytest.raises(ManifestInvalid) as caught:
        read(raw)
    return str(caught.value).partition("\n")[0].removeprefix(f"manifest-invalid: The manifest of {NAME.id} is ")


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    manifest = manifest_of()
    assert read(manifest.encode()) == manifest


def test_a_manifest_tells_its_name_its_time_and_its_inventory() -> None:
    manifest = manifest_of()
    assert (manifest.name, manifest.started) == (NAME, STARTED)
    assert manifest.contents.inventory == Inventory([SecretDigest("smtp/a/admin", 1, "ab" * 32)], ["smtp/b/admin"])


def test_the_same_manifest_is_always_the_same_bytes() -> None:
    raw = manifest_of().encode()
    assert read(raw).encode() == raw
    assert raw == json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":")).encode()


def test_the_signature_is_over_everything_but_itself() -> None:
    unsigned = manifest_of(signature=None)
    signed = unsigned.with_signature(Signature("audit-key", "ECDSA_SHA_256", "BBBB"))
    assert signed.signature == Signature("audit-key", "ECDSA_SHA_256", "BBBB")
    assert signed.signed_bytes() == unsigned.signed_bytes()
    assert json.loads(signed.signed_bytes()).keys() == set(VaultManifest.__struct_fields__) - {"signature"}


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON document that is not a group or a list."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in leaves_of(value[key], (*path, key))]
    if isinstance(value, list):
        return [leaf for i, each in enumerate(value) for leaf in leaves_of(each, (*path, i))]
    return [path]


@pytest.mark.parametrize(
    "path", [path for path in leaves_of(msgspec.to_builtins(manifest_of())) if path[0] != "signature"]
)
def test_no_value_of_a_manifest_can_change_under_its_signature(path: tuple[Any, ...]) -> None:
    plain: Any = json.loads(manifest_of().encode())
    place = plain
    for step in path[:-1]:
        place = place[step]
    old = place[path[-1]]
    other = {"daily": "pre-restore"}.get(old, f"{old} ") if isinstance(old, str) else old + 1
    place[path[-1]] = other
    changed = msgspec.convert(plain, VaultManifest)
    assert changed.signed_bytes() != manifest_of().signed_bytes()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        manifest_of().encode()[:-1],
        manifest_of().encode().replace(b'"series":"daily"', b'"series":"hourly"'),
        manifest_of().encode().replace(b'"started_at":"2026-11-22', b'"started_at":"2026-02-30'),
        manifest_of().encode().replace(b'"kind":"vault"', b'"kind":"vault","more":1', 1),
        manifest_of().encode().replace(b'"raft_index":42', b'"raft_index":"42"'),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(raw: bytes) -> None:
    assert refusal_of(raw) == "not what was signed: it cannot be read."


def test_a_manifest_of_another_format_is_refused() -> None:
    raw = manifest_of(format="mailark-backup/2").encode()
    assert refusal_of(raw) == "not what was signed: it has another format than this version reads."


def test_a_format_that_is_not_known_is_told_from_what_is_no_manifest() -> None:
    later = manifest_of(format="mailark-backup/2").encode().replace(b'"kind":"vault"', b'"kind":"vault","more":1', 1)
    assert format_of(later) == "mailark-backup/2"
    assert refusal_of(later) == "not what was signed: it has another format than this version reads."
    assert format_of(b"{}") is None


def test_a_manifest_that_lies_by_itself_is_held_against_its_own_parts() -> None:
    assert read_lone_manifest(manifest_of().encode(), "copied.json") == manifest_of()
    with pytest.raises(ManifestInvalid, match="its parts name different backups"):
        read_lone_manifest(manifest_of(backup_id="mine").encode(), "copied.json")
    with pytest.raises(
        ManifestInvalid, match=r"The manifest of copied\.json is not what was signed: it cannot be read"
    ):
        read_lone_manifest(b"[]", "copied.json")


def test_a_manifest_without_a_signature_is_refused() -> None:
    assert refusal_of(manifest_of(signature=None).encode()) == "not what was signed: it is not signed."


def test_the_manifest_of_another_backup_is_refused() -> None:
    other = BackupName("vault", "daily", datetime(2026, 11, 21, 2, 0, 0, tzinfo=UTC))
    with pytest.raises(BackupMisplaced) as caught:
        read(manifest_of().encode(), other.id, other.key)
    assert str(caught.value).partition("\n")[0] == (
        "backup-misplaced: The manifest at vault/daily/2026-11-21/vault-snapshot-20261121T020000Z.manifest.json "
        "belongs to vault-snapshot-20261122T020000Z, not to vault-snapshot-20261121T020000Z."
    )


def test_a_manifest_that_lies_beside_another_object_is_refused() -> None:
    with pytest.raises(ManifestInvalid, match=rf"is not what was signed: it belongs beside {NAME.key}\."):
        read(manifest_of().encode(), key="vault/daily/2026-11-22/elsewhere.enc")


@pytest.mark.parametrize(
    "changes",
    [
        {"series": "pre-restore"},
        {"started_at": "2026-11-22T02:00:01+00:00"},
        {"started_at": "2026-11-21T02:00:00+00:00"},
    ],
)
def test_a_manifest_whose_parts_name_different_backups_is_refused(changes: dict[str, Any]) -> None:
    assert refusal_of(manifest_of(**changes).encode()) == "not what was signed: its parts name different backups."


@pytest.mark.parametrize("field", ["purpose", "backup_id", "kind", "date"])
def test_a_manifest_whose_object_was_encrypted_as_another_backup_is_refused(field: str) -> None:
    encryption = msgspec.structs.replace(manifest_of().encryption, context=NAME.encryption_context | {field: "other"})
    raw = manifest_of(encryption=encryption).encode()
    assert refusal_of(raw) == "not what was signed: its parts name different backups."


@pytest.mark.parametrize("kind", ["database", "volumes", ""])
def test_a_manifest_of_another_kind_than_its_parts_cannot_be_read(kind: str) -> None:
    assert refusal_of(manifest_of(kind=kind).encode()) == "not what was signed: it cannot be read."


def test_a_manifest_with_a_place_of_its_own_making_is_refused() -> None:
    with pytest.raises(ManifestInvalid, match="its parts name different backups"):
        read(manifest_of(key="mine.enc").encode(), key="mine.enc")


def test_a_manifest_with_an_id_of_its_own_making_is_refused() -> None:
    with pytest.raises(ManifestInvalid, match="its parts name different backups"):
        read(manifest_of(backup_id="mine").encode(), backup_id="mine")
