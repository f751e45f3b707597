"""`vault_backup` on the deployed house: what a night leaves behind."""

import base64
import hashlib
import io
from collections.abc import Callable

import aws_encryption_sdk
import pytest
from aws_encryption_sdk.identifiers import CommitmentPolicy, EncryptionKeyType

from lab.gate import Call, Fault
from lab.tenants import Tenant, make_tenants
from lambdas.adapters.envelope import FRAME_BYTES, OfflineKeyProvider
from lambdas.domain.backup import WrappedKey
from lambdas.domain.inventory import Secret as VaultSecret
from lambdas.domain.inventory import digest_of
from lambdas.domain.snapshot import SnapshotVerifier
from tests.scenarios.house import CANARY, House, backup_of, failure, paused

SCOPE = "platform#vault"


@pytest.fixture(scope="module")
def night(house: House, tenants: list[Tenant]) -> str:
    """The execution of one night, started by the schedule."""
    assert tenants
    arn = house.let_schedule_come("vault_backup")
    finished = house.follow(arn)
    assert finished.status == "SUCCEEDED", finished.cause
    return arn


@pytest.fixture
def backup(house: House, night: str) -> str:
    return next(row.id for row in house.catalog().values() if row.operation_id in night)


def test_a_night_leaves_a_backup_that_is_proved_intact_in_both_regions(house: House, backup: str) -> None:
    here, there = house.catalog()[backup], house.catalog(house.lab.standby)[backup]

    assert (here.proof, here.copy) == ("intact", "intact")
    assert there.proof == "intact"
    assert house.object_bytes(here) == house.object_bytes(there, house.lab.standby)
    assert house.manifest(here) == house.manifest(there, house.lab.standby)


def test_the_manifest_says_what_vault_held(house: House, backup: str, tenants: list[Tenant]) -> None:
    row = house.catalog()[backup]
    manifest = house.manifest(row)
    stored = house.object_bytes(row)

    paths = {f"smtp/{tenant.path}" for tenant in tenants} | {f"smtp/{CANARY}"}
    assert paths <= {secret.path for secret in manifest.contents.secrets}
    assert manifest.contents.secret_count == len(manifest.contents.secrets)
    assert manifest.contents.written_meanwhile == []
    assert manifest.contents.canary_names == backup
    assert (manifest.source.seal_type, manifest.source.seal_key_id) == ("static", "k1")
    assert manifest.source.product_version == "2.7.2"
    assert (manifest.ciphertext.size, manifest.ciphertext.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert [key.name for key in manifest.keys] == ["platform-master-key", "vault-seal-key/k1"]


def test_the_operators_offline_key_opens_the_backup_and_the_keys_in_it_without_aws(house: House, backup: str) -> None:
    row = house.catalog()[backup]
    manifest = house.manifest(row)

    snapshot = _open_offline(house, house.object_bytes(row), manifest.encryption.context)
    verifier = SnapshotVerifier()
    verifier.update(snapshot)
    assert verifier.finish().index == manifest.source.raft_index
    assert hashlib.sha256(snapshot).hexdigest() == manifest.plaintext.sha256
    keys = {key.name: _unwrap_offline(house, key) for key in manifest.keys}
    assert keys["platform-master-key"] == house.lab.master_key
    assert len(keys["vault-seal-key/k1"]) == 32


def test_the_digests_in_the_manifest_are_those_of_the_live_secrets(
    house: House, backup: str, tenants: list[Tenant]
) -> None:
    contents = house.manifest(house.catalog()[backup]).contents
    key = _unwrap_offline(house, contents.digest_key)
    kv = house.lab.vault_client().secrets.kv.v2

    for tenant in tenants[:5]:
        answer = kv.read_secret_version(tenant.path, mount_point="smtp", raise_on_deleted_version=True)["data"]
        live = VaultSecret(
            f"smtp/{tenant.path}",
            answer["metadata"]["version"],
            answer["metadata"]["created_time"],
            "",
            False,
            answer["metadata"]["custom_metadata"] or {},
            answer["data"],
        )
        assert digest_of(live, key) in contents.secrets


def test_the_night_is_in_the_audit_trail_and_its_lease_is_free(house: House, night: str) -> None:
    assert house.audit_events(night) == ["operation_started", "vault_backup_completed"]
    assert house.audit_faults(SCOPE) == []
    assert house.lease_is_free("backup#vault")
    assert house.operation(night)["status"] == "succeeded"
    assert house.operation(night)["user_id"] == "system"
    assert house.open_uploads() == []


def test_a_schedule_that_fires_twice_for_one_hour_makes_one_backup(house: House, night: str) -> None:
    scheduled_for = house.operation(night)["scheduled_for"]
    before = house.catalog()

    again = house.run_well("vault_backup", {"reason": "nightly backup", "scheduled_for": scheduled_for})

    assert again.output == {"duplicate_of": house.operation(night)["id"]}
    assert house.catalog() == before


def test_a_vault_that_was_emptied_is_not_backed_up_and_the_next_recovery_brings_everything_back(
    house: House, tenants: list[Tenant], backup_id: str
) -> None:
    """Otherwise the night after a loss would make the loss the newest backup, and a recovery would restore it."""
    newest = max(house.catalog().values(), key=lambda row: row.started_at).id
    before = house.catalog()
    house.lab.platform().destroy(tenants)

    finished = house.run("vault_backup", {"reason": "02:00 comes before anybody has noticed"})

    found, alert = failure(finished), house.alert_of(finished.arn)
    assert found.code == "vault-looks-lost"
    assert found.hint == (
        "If Vault was emptied or replaced, start vault_restore. If this is meant, start vault_backup with "
        '{"reason": "...", "accept_loss": true}: its backup is then the newest.'
    )
    assert "vault-looks-lost" in alert.subject
    assert house.catalog() == before
    assert (house.lease_is_free("backup#vault"), house.open_uploads()) == (True, [])

    restored = house.run_well("vault_restore", {"reason": "everything is gone"})
    assert restored.output["details"]["backup_id"] == newest
    assert house.lab.platform().wrong(tenants) == []


def test_a_scheduled_run_that_failed_is_started_again_with_the_same_input(house: House, tenants: list[Tenant]) -> None:
    given = {"reason": "nightly backup", "scheduled_for": "2026-11-21T02:00:00Z"}
    with paused(house.lab.vault.pid):
        assert house.run("vault_backup", given).status == "FAILED"
    again = house.run_well("vault_backup", given)
    assert backup_of(house, again) in house.catalog()


def test_what_is_written_while_the_backup_runs_is_listed_and_not_a_failure(house: House, tenants: list[Tenant]) -> None:
    late, changed, gone = make_tenants(1, seed=99)[0], tenants[0], make_tenants(1, seed=98)[0]
    list(house.lab.platform().store([gone]))
    with house.lab.gate.fault(Fault(_once_when_the_upload_completes(lambda: _meddle(house, late, changed, gone)))):
        finished = house.run_well("vault_backup", {"reason": "the platform goes on writing"})

    contents = house.manifest(house.catalog()[backup_of(house, finished)]).contents
    assert contents.written_meanwhile == sorted(f"smtp/{tenant.path}" for tenant in (late, changed, gone))
    house.run_well("vault_restore", {"reason": "the backup of a busy night restores too"})
    house.lab.platform().destroy([gone])
    list(house.lab.platform().store([changed]))


def _meddle(house: House, late: Tenant, changed: Tenant, gone: Tenant) -> None:
    """After the snapshot, before the reading: a new tenant, a rotation, and a tenant that leaves."""
    platform = house.lab.platform()
    list(platform.store([late, changed]))
    platform.destroy([gone])


def _once_when_the_upload_completes(deed: Callable[[], None]) -> Callable[[Call], bool]:
    done: list[bool] = []

    def matches(call: Call) -> bool:
        completes = call.service == "s3" and call.method == "POST" and "uploadId=" in call.query
        if completes and not done:
            done.append(True)
            deed()
        return False

    return matches


def _open_offline(house: House, message: bytes, context: dict[str, str]) -> bytes:
    """As break-glass does it: the object, the operator's PEM file, and nothing else."""
    sdk = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    provider = OfflineKeyProvider.of(house.lab.offline.private.read_text(), EncryptionKeyType.PRIVATE)
    with sdk.stream(
        mode="d", source=io.BytesIO(message), key_provider=provider, max_body_length=FRAME_BYTES
    ) as decryptor:
        assert context.items() <= decryptor.header.encryption_context.items()
        return bytes(decryptor.read())


def _unwrap_offline(house: House, key: WrappedKey) -> bytes:
    return _open_offline(house, base64.b64decode(key.message), key.context)
