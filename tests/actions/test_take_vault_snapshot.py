"""`take_vault_snapshot`: a whole snapshot, encrypted, is stored; or nothing is."""

import hashlib
from collections.abc import Callable, Iterator

import pytest

from lambdas.adapters.envelope import Envelope
from lambdas.adapters.vault import VaultClient
from lambdas.domain.errors import KeyUnusable, StorageRefused
from lambdas.domain.proof import CiphertextDamaged
from lambdas.domain.snapshot import SnapshotVerifier
from lambdas.domain.vault_errors import SnapshotDamaged, VaultUnreachable
from tests.actions.house import House, bucket_name
from tests.servers.aws import PRIMARY, refused
from tests.servers.vault import VaultServer, contents

KEY = "vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.enc"
CONTEXT = {
    "purpose": "backup",
    "backup_id": "vault-snapshot-20261122T020000Z",
    "kind": "vault",
    "date": "2026-11-22",
}


def test_a_snapshot_is_stored_encrypted_and_described_in_every_respect(
    house: House, server: VaultServer, tenants: object
) -> None:
    before = contents(server.admin())
    taken = house.run("take_vault_snapshot", {"operation": house.operation("vault_backup")})
    objects = house.objects()
    assert list(objects) == [KEY]
    envelope = Envelope(house.keys.arn("backup"))
    plain, verifier = b"".join(envelope.open([objects[KEY]], CONTEXT)), SnapshotVerifier()
    verifier.update(plain)
    facts = verifier.finish()
    assert taken["backup_id"] == CONTEXT["backup_id"]
    assert (taken["series"], taken["started_at"]) == ("daily", "2026-11-22T02:00:00+00:00")
    assert taken["finished_at"] > "2026"
    stored = taken["stored"]
    assert (stored["bucket"], stored["key"]) == (bucket_name("backups", PRIMARY), KEY)
    assert (stored["plaintext_size"], stored["plaintext_sha256"]) == (len(plain), hashlib.sha256(plain).hexdigest())
    assert stored["ciphertext_size"] == len(objects[KEY])
    assert stored["ciphertext_sha256"] == hashlib.sha256(objects[KEY]).hexdigest()
    source = taken["source"]
    assert (source["raft_index"], source["raft_term"]) == (facts.index, facts.term)
    assert (source["product_version"], source["seal_type"], source["seal_key_id"]) == ("2.7.2", "static", "k1")
    assert taken["encryption"]["context"] == CONTEXT
    assert taken["encryption"]["key_id"] == house.keys.arn("backup")
    assert contents(server.admin()) == before


def test_no_secret_of_vault_is_readable_in_what_is_stored(house: House, tenants: object) -> None:
    house.run("take_vault_snapshot", {"operation": house.operation("vault_backup")})
    (stored,) = house.objects().values()
    assert not [secret for secret in house.secrets if secret.encode() in stored]


def test_a_snapshot_opens_as_the_backup_it_is_and_as_no_other(house: House, tenants: object) -> None:
    house.run("take_vault_snapshot", {"operation": house.operation("vault_backup")})
    other = CONTEXT | {"backup_id": "vault-snapshot-20261121T020000Z", "date": "2026-11-21"}
    with pytest.raises(CiphertextDamaged):
        list(Envelope(house.keys.arn("backup")).open(house.objects().values(), other))


def test_running_it_twice_leaves_two_versions_of_one_object(house: House, tenants: object) -> None:
    operation = house.operation("vault_backup")
    found = [house.run("take_vault_snapshot", {"operation": operation}) for _ in range(2)]
    assert found[0]["backup_id"] == found[1]["backup_id"]
    assert found[0]["stored"]["version_id"] != found[1]["stored"]["version_id"]
    assert house.versions() == [KEY, KEY]


def test_what_is_saved_before_a_restore_is_a_series_of_its_own(house: House, tenants: object) -> None:
    operation = house.operation("vault_restore")
    taken = house.run("take_vault_snapshot", {"operation": operation, "series": "pre-restore"})
    assert (taken["backup_id"], taken["series"]) == ("vault-pre-restore-20261122T020000Z", "pre-restore")
    assert list(house.objects()) == ["vault/pre-restore/2026-11-22/vault-pre-restore-20261122T020000Z.enc"]


def test_the_time_of_the_backup_is_the_one_that_the_canary_was_given(house: House, tenants: object) -> None:
    event = {"operation": house.operation("vault_backup"), "started_at": "2026-11-21T02:00:00+00:00"}
    assert house.run("take_vault_snapshot", event)["backup_id"] == "vault-snapshot-20261121T020000Z"


# --- snapshots that fail ----------------------------------------------------------------------------------

Stream = Callable[[VaultClient], Iterator[bytes]]


def _changed(change: Callable[[bytes], Iterator[bytes]]) -> Stream:
    """A stream as Vault would send it, changed on its way."""
    original = VaultClient.snapshot
    return lambda client: change(b"".join(original(client)))


def _cut(snapshot: bytes) -> Iterator[bytes]:
    """What the adapter raises when the connection is cut, which its own tests hold."""
    yield snapshot[: len(snapshot) // 2]
    raise VaultUnreachable(address="https://vault.example.org", problem="the connection was cut")


def _ends_early(snapshot: bytes) -> Iterator[bytes]:
    yield snapshot[: len(snapshot) // 2]


def _lacks_its_last_byte(snapshot: bytes) -> Iterator[bytes]:
    yield snapshot[:-1]


def _is_empty(_: bytes) -> Iterator[bytes]:
    yield from ()


def _goes_on(snapshot: bytes) -> Iterator[bytes]:
    yield snapshot
    yield b"more"


def _has_a_changed_byte(snapshot: bytes) -> Iterator[bytes]:
    at = len(snapshot) // 2
    yield snapshot[:at] + bytes([snapshot[at] ^ 1]) + snapshot[at + 1 :]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_cut, VaultUnreachable),
        (_ends_early, SnapshotDamaged),
        (_lacks_its_last_byte, SnapshotDamaged),
        (_is_empty, SnapshotDamaged),
        (_goes_on, SnapshotDamaged),
        (_has_a_changed_byte, SnapshotDamaged),
    ],
)
def test_a_stream_that_is_not_a_whole_snapshot_leaves_nothing_in_the_store(
    change: Callable[[bytes], Iterator[bytes]],
    error: type[Exception],
    house: House,
    tenants: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operation = house.operation("vault_backup")
    with monkeypatch.context() as patch:
        patch.setattr(VaultClient, "snapshot", _changed(change))
        with pytest.raises(error):
            house.run("take_vault_snapshot", {"operation": operation})
    assert house.versions() == []
    house.run("take_vault_snapshot", {"operation": operation})
    assert house.versions() == [KEY]


def test_a_key_that_kms_refuses_leaves_nothing_in_the_store(house: House, tenants: object) -> None:
    operation = house.operation("vault_backup")
    with refused("GenerateDataKey", "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        house.run("take_vault_snapshot", {"operation": operation})
    assert house.versions() == []


def test_a_store_that_refuses_is_named_and_left_empty(house: House, tenants: object) -> None:
    operation = house.operation("vault_backup")
    with (
        refused(lambda request: "partNumber=1" in request.url, "AccessDenied", 403),
        pytest.raises(StorageRefused, match="storage-refused: S3 refused UploadPart"),
    ):
        house.run("take_vault_snapshot", {"operation": operation})
    assert house.versions() == []
