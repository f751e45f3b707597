"""Vault's audit log in the lab: shipped line by line, and no obstacle to a restore or to another leader."""

import json
import secrets
from typing import Any

import pytest

from lab.log_shipper import LogShipper
from lab.tenants import Platform, Tenant, make_tenants
from lab.vault import AUDIT_FILE
from tests.lab.emulator import Emulator
from tests.lab.platform_vault import PlatformVaults, platform_of, restore
from tests.lab.waiting import until
from tests.servers.vault import VaultServer

REGION = "eu-central-1"


@pytest.fixture
def tenant() -> Tenant:
    return make_tenants(1, seed=secrets.randbits(32))[0]


def _entries(server: VaultServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.node.audit_file.read_text().splitlines()]


def _devices(server: VaultServer) -> Any:
    return server.admin().sys.list_enabled_audit_devices()["data"]


def test_a_read_is_shipped_with_who_and_what_and_without_the_secret(
    emulator: Emulator, platform: Platform, platform_vault: VaultServer, tenant: Tenant
) -> None:
    logs, group = emulator.client("logs", REGION), f"/mailark/{secrets.token_hex(6)}"
    logs.create_log_group(logGroupName=group)
    list(platform.store([tenant]))
    stored = platform.read(tenant)["password"]
    with LogShipper(super(Emulator, emulator).client("logs", REGION), group).running() as shipper:
        shipper.follow(platform_vault.node.audit_file, "vault")

        def shipped() -> list[str]:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event["message"] for page in pages for event in page["events"]]

        def read() -> dict[str, Any]:
            entries = (json.loads(line) for line in shipped() if tenant.path in line)
            of_reads = (each for each in entries if each["request"]["operation"] == "read")
            return next((each for each in of_reads if each["type"] == "response"), {})

        entry = until(read, "the read is shipped")
        everything = shipped()
    assert entry["request"]["path"] == f"smtp/data/{tenant.path}"
    assert entry["auth"]["display_name"] == "userpass-platform"
    assert entry["request"]["remote_address"] == "127.0.0.1"
    assert entry["time"]
    assert not any(stored in line or tenant.password in line for line in everything)


def test_a_list_of_many_names_is_a_short_line(platform: Platform, platform_vault: VaultServer) -> None:
    """Each name would stand there as 75 characters, and CloudWatch Logs takes a megabyte at once."""
    list(platform.store(make_tenants(300, seed=secrets.randbits(32))))
    names = platform_vault.admin().secrets.kv.v2.list_secrets("", mount_point="smtp")["data"]["keys"]
    assert len(names) >= 300
    listed = [each for each in _entries(platform_vault) if each["request"]["operation"] == "list"]
    assert listed[-1]["type"] == "response"
    assert len(json.dumps(listed[-1])) < 4000


def test_a_snapshot_restores_into_another_vault_which_goes_on_writing_its_own_log(
    platform_vaults: PlatformVaults, platform: Platform, platform_vault: VaultServer, tenant: Tenant
) -> None:
    list(platform.store([tenant]))
    other = platform_vaults.start()
    restore(platform_vault, other)
    assert other.node.audit_file != platform_vault.node.audit_file
    before = len(_entries(other))
    assert platform_of(other).wrong([tenant]) == []
    assert len(_entries(other)) > before
    assert _devices(other) == _devices(platform_vault)
    assert _devices(other)["main/"]["options"]["file_path"] == AUDIT_FILE
    other.restart()
    assert platform_of(other).wrong([tenant]) == []


def test_a_node_with_the_same_words_that_comes_to_lead_keeps_the_device(platform_vaults: PlatformVaults) -> None:
    """One that does not declare it takes it away, and nobody sees who reads from then on."""
    first = platform_vaults.start()
    second = platform_vaults.join(first)
    before = _devices(first)
    first.admin().sys.step_down()
    until(second.leads, "the second leads")
    assert _devices(second) == before
    assert any(each["request"]["path"] == "sys/audit" for each in _entries(second))
