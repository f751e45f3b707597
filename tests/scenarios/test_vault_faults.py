"""Vault, its network, S3 and IAM at their worst: what fails is said, and nothing is lost or left behind."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from lab.certificates import CertificateAuthority
from lab.gate import Call, Fault
from lab.lab import Lab
from lab.processes import LOOPBACK
from lab.tenants import Tenant
from lab.vault import VaultNode
from lab.watching import Finished
from lambdas.domain.mailark_error import Failure
from tests.scenarios.house import House, backup_of, failure

ESTATE = "/mailark/estate"

HINTS = {
    "estate-invalid": "Correct that line; docs/operating.md describes every key of the estate.",
    "key-unusable": (
        "Enable the key, or cancel its deletion, and check its policy; then start the execution again. "
        "Without KMS, docs/break-glass.md opens a backup with the offline key."
    ),
    "seal-key-missing": (
        "Run `python -m lambdas.vault_configuration`: it makes or asks for the missing key and seals it with KMS."
    ),
    "storage-refused": (
        "Check the bucket, its policy and the role of this function; then start the execution again. "
        "Nothing half-written counts as a backup."
    ),
    "vault-sealed": (
        "Restart it, so that it unseals with its KMS-wrapped key, and check that its host may decrypt that key; "
        "a Vault with Shamir keys needs them entered."
    ),
    "vault-unreachable": (
        "Check that the server runs and that the estate names its address, network and CA; "
        "if it is lost, start an empty one with the generated configuration and run vault_restore."
    ),
}
"""What people are told to do, word for word."""


@contextmanager
def _estate(lab: Lab, **vault: object) -> Iterator[None]:
    """Let the deployed estate say something else of Vault while the block runs, as an operator could in the console."""
    estate = yaml.safe_load(lab.estate_file.read_text())
    estate["vault"] |= vault
    _put_estate(lab, yaml.safe_dump(estate))
    try:
        yield
    finally:
        _put_estate(lab, lab.estate_file.read_text())


def _put_estate(lab: Lab, text: str) -> None:
    for region in (lab.primary, lab.standby):
        lab.client("ssm", region).put_parameter(Name=ESTATE, Value=text, Type="String", Overwrite=True)


class CuttingProxy:
    """Passes TCP on to Vault, and cuts a connection once more than `limit` bytes have come back on it."""

    def __init__(self, port: int, limit: int) -> None:
        self._target, self._limit = port, limit
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((LOOPBACK, self._target))
            threading.Thread(target=self._pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, self._limit), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        try:
            while data := source.recv(4096):
                passed += len(data)
                if limit is not None and passed > limit:
                    self.cut += 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                end.close()

    def close(self) -> None:
        self._listener.close()


def _failed(house: House, finished: Finished, state: str, code: str) -> Failure:
    """The failure that was to come, with what it should leave: an alert, a record, free leases, and no upload."""
    found = failure(finished)
    assert (found.code, found.hint) == (code, HINTS[code])
    scenario = finished.arn.split(":")[6].removeprefix("mailark-").replace("-", "_")
    alert = house.alert_of(finished.arn)
    assert alert.subject == f"[example] {scenario} failed: {code}"
    assert f"in the step {state}" in alert.body
    assert found.sentence in alert.body
    assert found.hint in alert.body
    assert house.operation(finished.arn)["status"] == "failed"
    assert house.lease_is_free("vault")
    assert house.lease_is_free("backup#vault")
    assert house.open_uploads() == []
    return found


def _good(house: House) -> set[str]:
    """The backups that a recovery may choose by itself."""
    return {row.id for row in house.catalog().values() if row.series == "daily" and row.proof != "stored"}


@pytest.fixture
def nothing_lost(house: House, tenants: list[Tenant], backup_id: str) -> Iterator[None]:
    """After the test every credential is as it was, and every good backup is still there."""
    before, good = house.fingerprint(), _good(house)
    assert backup_id in good
    yield
    assert house.fingerprint() == before
    assert _good(house) == good
    assert house.lab.platform().wrong(tenants) == []


@pytest.mark.usefixtures("nothing_lost")
@pytest.mark.parametrize("scenario", ["vault_backup", "vault_restore"])
def test_a_vault_that_does_not_answer(house: House, scenario: str) -> None:
    house.lab.vault.stop()
    try:
        finished = house.run(scenario, {"reason": "Vault is down"})
        found = _failed(house, finished, "CheckVault", "vault-unreachable")
    finally:
        house.lab.start_vault()

    assert found.sentence == f"Vault at {house.lab.vault.address} does not answer (no connection)."


@pytest.mark.usefixtures("nothing_lost")
@pytest.mark.parametrize("scenario", ["vault_backup", "vault_restore"])
def test_a_vault_that_is_sealed(house: House, scenario: str) -> None:
    house.lab.seal_vault()
    try:
        finished = house.run(scenario, {"reason": "Vault is sealed"})
        found = _failed(house, finished, "CheckVault", "vault-sealed")
    finally:
        house.lab.vault.stop()
        house.lab.start_vault()

    assert found.sentence == f"Vault at {house.lab.vault.address} is sealed."


@pytest.mark.usefixtures("nothing_lost")
def test_a_vault_behind_a_certificate_of_another_ca(house: House, tmp_path: Path) -> None:
    with _estate(house.lab, ca=CertificateAuthority(tmp_path).pem):
        finished = house.run("vault_backup", {"reason": "a wrong CA"})
        found = _failed(house, finished, "CheckVault", "vault-unreachable")

    assert "its certificate is not signed by the CA in the estate" in found.sentence


@pytest.mark.usefixtures("nothing_lost")
def test_an_estate_that_somebody_has_spoiled_in_the_console(house: House) -> None:
    with _estate(house.lab, address="http://vault.example.org"):
        finished = house.run("vault_backup", {"reason": "a spoiled estate"})
        found = _failed(house, finished, "BeginOperation", "estate-invalid")

    assert found.sentence.startswith("SSM parameter /mailark/estate, vault.address: expected an address")


@pytest.mark.usefixtures("nothing_lost")
def test_a_snapshot_stream_that_is_cut_in_the_middle_stores_nothing(house: House) -> None:
    proxy = CuttingProxy(house.lab.vault.port, limit=40_000)
    address = f"https://{LOOPBACK}:{proxy.port}"
    before = house.catalog()
    with _estate(house.lab, address=address, nodes=[]):
        finished = house.run("vault_backup", {"reason": "the network cuts long answers"})
        found = _failed(house, finished, "TakeVaultSnapshot", "vault-unreachable")
    proxy.close()

    assert proxy.cut >= 3
    assert found.sentence == f"Vault at {address} does not answer (the connection was cut)."
    assert house.catalog() == before
    assert house.lab.canary() is not None


@pytest.mark.usefixtures("nothing_lost")
def test_an_upload_part_that_s3_refuses_leaves_no_upload_behind(house: House) -> None:
    def is_a_part(call: Call) -> bool:
        return call.service == "s3" and call.method == "PUT" and "partNumber=" in call.query

    before = house.catalog()
    with house.lab.gate.fault(Fault(is_a_part, status=403)) as refused:
        finished = house.run("vault_backup", {"reason": "S3 refuses"})
        found = _failed(house, finished, "TakeVaultSnapshot", "storage-refused")

    assert refused
    assert found.sentence.startswith(f"S3 refused UploadPart in {house.bucket()}: ")
    assert house.catalog() == before


@pytest.mark.usefixtures("nothing_lost")
def test_throttling_that_passes_is_not_noticed(house: House) -> None:
    """Every second call of some services is throttled: the backup is made all the same."""
    count = 0

    def sometimes(call: Call) -> bool:
        nonlocal count
        count += call.service == "dynamodb"
        return call.service == "dynamodb" and count % 3 == 0

    body = json.dumps({"__type": "ThrottlingException", "message": "slow down"})
    with house.lab.gate.fault(Fault(sometimes, status=400, body=body)) as throttled:
        house.run_well("vault_backup", {"reason": "throttled"})
    assert throttled
    _forget_newest(house)


def _forget_newest(house: House) -> None:
    """Take the newest backup out of the catalog again, so that `nothing_lost` compares like with like."""
    newest = list(house.catalog())[-1]
    house.lab.client("dynamodb").delete_item(TableName="mailark-catalog", Key={"id": {"S": newest}})


@pytest.mark.usefixtures("nothing_lost")
def test_a_restore_whose_upload_vault_never_gets_whole_leaves_vault_as_it_was(house: House) -> None:
    """S3 stops answering in the middle of the restore: what was sent so far is thrown away by Vault."""
    reads = 0

    def after_the_first(call: Call) -> bool:
        """The first read proves the backup; what is saved before the restore lies under another series."""
        nonlocal reads
        ranged = call.service == "s3" and call.method == "GET" and "/daily/" in call.path and call.path.endswith(".enc")
        reads += ranged
        return ranged and reads > 1

    canary = house.lab.canary()
    with house.lab.gate.fault(Fault(after_the_first, status=403)) as refused:
        finished = house.run("vault_restore", {"reason": "S3 fails while restoring"})
        found = _failed(house, finished, "RestoreVaultSnapshot", "storage-refused")

    assert refused
    assert found.sentence.startswith(f"S3 refused GetObject in {house.bucket()}: ")
    assert house.lab.canary() == canary


@pytest.mark.usefixtures("nothing_lost")
def test_the_other_region_being_gone_fails_the_copy_and_keeps_the_backup(house: House) -> None:
    with house.lab.gate.without_region(house.lab.standby):
        finished = house.run("vault_backup", {"reason": "the standby region is gone"})
        found = _failed(house, finished, "CopyBackup", "storage-refused")

    assert house.bucket(house.lab.standby) in found.sentence
    newest = list(house.catalog().values())[-1]
    assert (newest.proof, newest.copy) == ("intact", "failed")
    _forget_newest(house)


@pytest.mark.usefixtures("nothing_lost")
def test_iam_is_enforced_a_function_without_its_permission_fails_with_the_key_named(house: House) -> None:
    iam, kms = house.lab.client("iam"), house.lab.client("kms")
    role, policy = f"mailark-verify-backup-{house.lab.primary}", "denied-by-a-test"
    deny = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)
    try:
        finished = house.run("vault_restore", {"reason": "a permission is missing"})
        found = _failed(house, finished, "VerifyBackup", "key-unusable")
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)

    key = kms.describe_key(KeyId="alias/mailark-backup")["KeyMetadata"]["Arn"]
    assert found.sentence == f"KMS does not let this function use {key}: AccessDeniedException."


@pytest.mark.usefixtures("nothing_lost")
def test_without_the_sealed_master_key_no_backup_pretends_to_be_complete(house: House) -> None:
    ssm, name = house.lab.client("ssm"), "/mailark/sealed-keys/platform-master-key"
    sealed = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)
    try:
        finished = house.run("vault_backup", {"reason": "no master key"})
        found = _failed(house, finished, "WrapKeys", "seal-key-missing")
    finally:
        ssm.put_parameter(Name=name, Value=sealed, Type="String")

    assert found.sentence == "No sealed key is stored under the name platform-master-key."


# --- the node that the estate names is a standby ----------------------------------------------------------


@pytest.fixture
def standby(house: House) -> Iterator[VaultNode]:
    """A second node of Vault, which follows the first."""
    with house.lab.second_node() as node:
        assert (node.health(), house.lab.vault.health()) == (429, 200)  # Vault's API, /sys/health: standby, active
        yield node


def _answer(house: House, finished: Finished, state: str) -> dict[str, object]:
    """What the function of a state has answered."""
    exits = (event.get("stateExitedEventDetails", {}) for event in house.history(finished.arn))
    output = next(details["output"] for details in exits if details.get("name") == state)
    found: dict[str, object] = json.loads(output)["Payload"]
    return found


@pytest.mark.usefixtures("nothing_lost")
def test_a_backup_is_taken_through_the_leader_when_the_estate_names_a_standby_alone(
    house: House, standby: VaultNode
) -> None:
    with _estate(house.lab, address=standby.address, nodes=[]):
        finished = house.run_well("vault_backup", {"reason": "the estate names a standby"})

    assert _answer(house, finished, "CheckVault")["address"] == house.lab.vault.address
    row = house.catalog()[backup_of(house, finished)]
    assert (row.proof, row.copy) == ("intact", "intact")
    assert house.lab.canary() == {"mailark_canary": row.id}
    assert house.lease_is_free("backup#vault")
    _forget_newest(house)


def test_a_restore_goes_through_the_leader_and_reaches_every_node_when_the_estate_names_a_standby_first(
    house: House, tenants: list[Tenant], backup_id: str, standby: VaultNode
) -> None:
    nodes = [standby.address, house.lab.vault.address]
    house.lab.platform().destroy(tenants[:5])
    with _estate(house.lab, address=standby.address, nodes=nodes):
        given = {"reason": "the estate names a standby", "backup_id": backup_id}
        finished = house.run_well("vault_restore", given)

    assert _answer(house, finished, "RestoreVaultSnapshot")["address"] == house.lab.vault.address
    assert _answer(house, finished, "VerifyVault")["nodes"] == len(nodes)
    assert [house.lab.platform(address).wrong(tenants) for address in nodes] == [[], []]
    assert house.lease_is_free("vault")
