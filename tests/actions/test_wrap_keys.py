"""`wrap_keys`: what a backup is useless without lies in its manifest, for KMS and for the offline key alone."""

import base64
from typing import Any

import aws_encryption_sdk
import pytest
from aws_encryption_sdk.identifiers import EncryptionKeyType

from lambdas.adapters.envelope import Envelope, OfflineKeyProvider
from lambdas.adapters.sealed_keys import SealedKeys
from lambdas.domain.errors import KeyUnusable
from lambdas.domain.proof import CiphertextDamaged
from lambdas.domain.vault_errors import SealKeyMissing
from lambdas.domain.vault_manifest import Source
from tests.actions.conftest import MASTER_KEY, SEAL_KEY
from tests.actions.house import House
from tests.servers.aws import PRIMARY, STANDBY, aws, refused, replica

BACKUP = "vault-snapshot-20261122T020000Z"


def _event(house: House, seal_type: str = "static", seal_key_id: str = "k1") -> dict[str, object]:
    source = Source("2.7.2", "c-1", "vault", seal_type, seal_key_id, 42, 3)
    return {"operation": house.operation("vault_backup"), "backup_id": BACKUP, "source": source}


def _opened(house: House, wrapped: dict[str, Any], region: str = PRIMARY) -> bytes:
    return Envelope(house.keys.arn("backup", region)).unwrap(wrapped["message"], wrapped["context"])


def test_both_keys_are_wrapped_and_open_in_both_regions(house: House) -> None:
    wrapped = house.run("wrap_keys", _event(house))["keys"]
    assert [each["name"] for each in wrapped] == ["platform-master-key", "vault-seal-key/k1"]
    for region in (PRIMARY, STANDBY):
        assert [_opened(house, each, region) for each in wrapped] == [MASTER_KEY, SEAL_KEY]
    context = {"purpose": "backup-key", "name": "vault-seal-key/k1", "backup_id": BACKUP}
    assert wrapped[1]["context"] == context


def test_both_keys_open_with_the_offline_key_and_no_aws(house: House) -> None:
    wrapped = house.run("wrap_keys", _event(house))["keys"]
    provider = OfflineKeyProvider.of(house.keys.offline_private, EncryptionKeyType.PRIVATE)
    sdk = aws_encryption_sdk.EncryptionSDKClient()
    with refused(lambda _: True, "AccessDeniedException") as aws:
        found = [sdk.decrypt(source=base64.b64decode(each["message"]), key_provider=provider)[0] for each in wrapped]
    assert found == [MASTER_KEY, SEAL_KEY]
    assert aws.met == 0


def test_running_it_twice_wraps_the_same_keys_anew(house: House) -> None:
    event = _event(house)
    first, second = (house.run("wrap_keys", event)["keys"] for _ in range(2))
    assert [_opened(house, each) for each in first] == [_opened(house, each) for each in second]
    assert first[0]["message"] != second[0]["message"]


def test_a_key_that_was_wrapped_for_one_backup_does_not_pass_for_that_of_another(house: House) -> None:
    (master, _) = house.run("wrap_keys", _event(house))["keys"]
    other = master["context"] | {"backup_id": "vault-snapshot-20261121T020000Z"}
    with pytest.raises(CiphertextDamaged):
        Envelope(house.keys.arn("backup")).unwrap(master["message"], other)


@pytest.mark.parametrize("seal_type", ["shamir", "awskms"])
def test_a_vault_without_a_static_seal_has_no_seal_key_to_wrap(seal_type: str, house: House) -> None:
    wrapped = house.run("wrap_keys", _event(house, seal_type, ""))["keys"]
    assert [each["name"] for each in wrapped] == ["platform-master-key"]


def test_an_older_seal_key_is_wrapped_when_the_snapshot_was_taken_under_it(house: House) -> None:
    keys = SealedKeys(PRIMARY, house.keys.arn("seal"))
    keys.store("vault-seal-key/k0", keys.seal("vault-seal-key/k0", b"k" * 32))
    wrapped = house.run("wrap_keys", _event(house, seal_key_id="k0"))["keys"]
    assert _opened(house, wrapped[1]) == b"k" * 32


@pytest.mark.parametrize("name", ["platform-master-key", "vault-seal-key/k1"])
def test_a_key_that_was_never_sealed_is_named(name: str, house: House) -> None:
    aws("ssm").delete_parameter(Name=f"/mailark/sealed-keys/{name}")
    with pytest.raises(SealKeyMissing, match=f"seal-key-missing: .*{name}"):
        house.run("wrap_keys", _event(house))


def test_a_key_that_kms_refuses_is_named(house: House) -> None:
    event = _event(house)
    with refused("Decrypt", "AccessDeniedException"), pytest.raises(KeyUnusable, match=house.keys.arn("escrow")):
        house.run("wrap_keys", event)
    with refused("GenerateDataKey", "AccessDeniedException"), pytest.raises(KeyUnusable, match="AccessDenied"):
        house.run("wrap_keys", event)


def test_the_standby_region_wraps_with_its_own_keys(house: House) -> None:
    wrapped = house.run("wrap_keys", _event(house), region=STANDBY)["keys"]
    assert [_opened(house, each) for each in wrapped] == [MASTER_KEY, SEAL_KEY]
    assert replica(house.keys.arn("backup")) == house.keys.arn("backup", STANDBY)
