"""A Vault with a Shamir seal, set up by the script for running Vaults; restores that need another Vault's keys."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hvac
import pytest

from lab.aws import ROOT
from lambdas.adapters.vault import await_restored, find_leader, submit_unseal_keys
from lambdas.domain.estate import Seal, Vault
from lambdas.domain.vault_configuration import apply_script, policies
from lambdas.domain.vault_duties import DUTIES, Duty, role
from lambdas.domain.vault_errors import SealKeyMismatch, VaultRestoreUnfinished, VaultSealed, VaultUnreachable
from tests.adapters.conftest import Login
from tests.servers.vault import CANARY, MOUNTS, Vaults, VaultServer, contents, until, write

SHAMIR = Seal("shamir")


@dataclass
class _Shamir:
    """An initialised, unsealed Vault: two of its three unseal keys open it."""

    server: VaultServer
    estate: Vault
    root_token: str
    keys: list[str]

    def root(self) -> hvac.Client:
        return self.server.client(self.root_token)


def _initialised(vaults: Vaults) -> _Shamir:
    server = vaults.prepare()
    server.start()
    server.node.wait_until_answering()
    client = server.client()
    made = client.sys.initialize(3, 2)
    for key in made["keys_base64"][:2]:
        client.sys.submit_unseal_key(key)
    until(lambda: server.node.health() == 200, "the new Vault leads")
    shamir = _Shamir(server, vaults.estate(server, seal=SHAMIR), made["root_token"], made["keys_base64"])
    for mount in MOUNTS:
        shamir.root().sys.enable_secrets_engine("kv", mount, options={"version": "2"})
    return shamir


@pytest.fixture(scope="module")
def source(vaults: Vaults) -> Iterator[_Shamir]:
    source = _initialised(vaults)
    yield source
    source.server.node.stop()


@pytest.fixture(scope="module")
def target(vaults: Vaults) -> Iterator[_Shamir]:
    """Another cluster, with keys of its own, that knows the restore duty."""
    target = _initialised(vaults)
    root, title = target.root(), Duty("restore").title
    root.sys.create_or_update_acl_policy(title, policies(target.estate)["restore"])
    root.sys.enable_auth_method("jwt", path=title)
    trust = {"jwt_validation_pubkeys": [vaults.public_keys["restore"]], "bound_issuer": "mailark"}
    root.write_data(f"auth/{title}/config", data=trust)
    root.write_data(f"auth/{title}/role/{title}", data=role(Duty("restore")))
    yield target
    target.server.node.stop()


def _apply(source: _Shamir, vaults: Vaults, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run apply.sh as an administrator would."""
    (folder / "policies").mkdir(exist_ok=True)
    for duty, text in policies(source.estate).items():
        (folder / "policies" / f"{Duty(duty).title}.hcl").write_text(text)
    script = folder / "apply.sh"
    script.write_text(apply_script(vaults.public_keys))
    environment = {
        "PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "BAO_ADDR": source.server.address,
        "BAO_CACERT": str(vaults.authority.file),
        "BAO_TOKEN": source.root_token,
    }
    return subprocess.run(
        ["/bin/sh", str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_running_vault_takes_the_generated_script_twice_and_then_each_duty_logs_in(
    vaults: Vaults, source: _Shamir, login: Login, tmp_path: Path
) -> None:
    for _ in range(2):
        done = _apply(source, vaults, tmp_path)
        assert done.returncode == 0, done.stderr
    for duty in DUTIES:
        login(source.server, duty)
    login(source.server, "backup").plant_canary(CANARY, "vault-snapshot-1")
    assert login(source.server, "inventory").canary(CANARY) == "vault-snapshot-1"


@pytest.fixture(scope="module")
def snapshot(source: _Shamir, vaults: Vaults, login: Login, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if not source.root().sys.list_auth_methods()["data"].get("mailark-backup/"):
        assert _apply(source, vaults, tmp_path_factory.mktemp("apply")).returncode == 0
    write(source.root(), "smtp/kept/admin", {"password": "kept"})
    return b"".join(login(source.server, "backup").snapshot())


def test_a_snapshot_under_other_unseal_keys_is_refused_without_force_and_nothing_changes(
    target: _Shamir, snapshot: bytes, login: Login
) -> None:
    write(target.root(), "smtp/live/admin", {"password": "live"})
    before = find_leader(target.estate)
    with pytest.raises(SealKeyMismatch, match=target.server.address):
        login(target.server, "restore").restore([snapshot], len(snapshot), "")
    assert contents(target.root()) == {"smtp/live/admin": (1, {"password": "live"})}
    assert find_leader(target.estate) == before


def test_a_vault_that_is_sealed_meanwhile_is_said_to_be_sealed_and_its_seal_is_not_blamed(
    target: _Shamir, snapshot: bytes, login: Login
) -> None:
    client = login(target.server, "restore")
    target.root().sys.seal()
    until(lambda: target.server.node.health() == 503, "it is sealed")
    with pytest.raises(VaultSealed, match=target.server.address):
        client.restore([snapshot], len(snapshot), "k1")
    submit_unseal_keys(target.estate, target.server.address, target.keys)
    until(lambda: target.server.node.health() == 200, "it serves again")


def test_a_forced_restore_serves_once_it_is_given_the_keys_of_the_snapshot(
    source: _Shamir, target: _Shamir, snapshot: bytes, login: Login
) -> None:
    before = find_leader(target.estate)
    login(target.server, "restore").restore([snapshot], len(snapshot), "", force=True)
    restored = await_restored(target.estate, target.server.address, before.active_time, 60, source.keys)
    assert restored.cluster_id == find_leader(source.estate).cluster_id != before.cluster_id
    there = target.server.client(source.root_token)
    assert contents(there)["smtp/kept/admin"] == (1, {"password": "kept"})
    assert "smtp/live/admin" not in contents(there)


def test_a_vault_that_the_keys_do_not_open_is_not_taken_for_restored(source: _Shamir) -> None:
    source.root().sys.seal()
    until(lambda: source.server.node.health() == 503, "it is sealed")
    with pytest.raises(VaultRestoreUnfinished):
        await_restored(source.estate, source.server.address, "2026-11-22T02:00:00Z", 1.5, _wrong(source.keys))
    submit_unseal_keys(source.estate, source.server.address, source.keys)
    until(lambda: source.server.node.health() == 200, "the right keys open it")


def _wrong(keys: list[str]) -> list[str]:
    return [key[:4] + ("A" if key[4] != "A" else "B") + key[5:] for key in keys]


def test_unseal_keys_for_a_vault_that_is_gone_say_that_it_does_not_answer(vaults: Vaults, source: _Shamir) -> None:
    gone = vaults.prepare()
    with pytest.raises(VaultUnreachable, match=gone.address) as failure:
        submit_unseal_keys(vaults.estate(gone), gone.address, source.keys)
    assert not any(key in str(failure.value) for key in source.keys)
