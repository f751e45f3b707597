"""What each duty may do in Vault, to the letter: no policy grants more than its duty needs."""

import re

import msgspec
import pytest

from lambdas.domain.estate import Seal
from lambdas.domain.vault_duties import DUTIES, Duty, DutyName, claims, policy, role
from tests.domain.builders import estate_of

VAULT = estate_of().vault
SHAMIR = msgspec.structs.replace(VAULT, seal=Seal("shamir"))
ONE_MOUNT = msgspec.structs.replace(VAULT, mounts=["smtp"])

RULES: dict[DutyName, dict[str, set[str]]] = {
    "backup": {
        "sys/storage/raft/snapshot": {"read"},
        "smtp/data/test-tenant-id/admin": {"create", "read", "update"},
        "smtp/metadata/*": {"list", "read"},
        "vps/metadata/*": {"list", "read"},
    },
    "inventory": {
        "smtp/data/*": {"read"},
        "smtp/metadata/*": {"list"},
        "vps/data/*": {"read"},
        "vps/metadata/*": {"list"},
    },
    "restore": {
        "sys/storage/raft/snapshot": {"update"},
    },
    "rotate": {
        "smtp/data/+/admin": {"read", "update"},
        "smtp/metadata/+/admin": {"patch", "read"},
        "smtp/metadata/": {"list"},
        "api_keys/data/+/mailu": {"read"},
    },
}


def rules_of(text: str) -> dict[str, set[str]]:
    """The rules of a policy: its paths and their capabilities; nothing else may stand in it."""
    rules: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        rule = re.fullmatch(r'path "([^"]+)" \{ capabilities = \[([^\]]+)\] \}', line)
        assert rule is not None, line
        assert rule[1] not in rules
        rules[rule[1]] = {capability.strip('" ') for capability in rule[2].split(",")}
    return rules


def test_every_duty_has_its_rules_here() -> None:
    assert set(RULES) == {*DUTIES, "rotate"}


@pytest.mark.parametrize("duty", RULES)
def test_a_duty_may_do_exactly_this(duty: DutyName) -> None:
    assert rules_of(policy(duty, VAULT)) == RULES[duty]


def test_a_restore_under_other_unseal_keys_is_allowed_where_there_are_such_keys() -> None:
    forced = {"sys/storage/raft/snapshot-force": {"update"}}
    assert rules_of(policy("restore", SHAMIR)) == RULES["restore"] | forced


def test_a_policy_is_written_for_people() -> None:
    assert policy("backup", ONE_MOUNT) == (
        "# Take snapshots.\n"
        'path "sys/storage/raft/snapshot" { capabilities = ["read"] }\n'
        "# Leave a canary in each.\n"
        'path "smtp/data/test-tenant-id/admin" { capabilities = ["create", "read", "update"] }\n'
        "# Names and versions, never values.\n"
        'path "smtp/metadata/*" { capabilities = ["list", "read"] }'
    )


@pytest.mark.parametrize("duty", RULES)
def test_no_duty_may_delete_or_administer(duty: DutyName) -> None:
    for path, capabilities in rules_of(policy(duty, VAULT)).items():
        assert capabilities <= {"create", "read", "update", "list", "patch"}
        assert not path.startswith(("auth/", "sys/policies", "sys/auth", "sys/mounts", "*"))


def test_who_takes_a_snapshot_may_not_read_a_password() -> None:
    readable = {path for path, can in rules_of(policy("backup", VAULT)).items() if "/data/" in path and can}
    assert readable == {"smtp/data/test-tenant-id/admin"}


def test_who_reads_passwords_may_not_write_anything() -> None:
    assert set().union(*rules_of(policy("inventory", VAULT)).values()) == {"read", "list"}


def test_who_restores_may_not_read_anything() -> None:
    assert set().union(*rules_of(policy("restore", VAULT)).values()) == {"update"}


# --- logins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DUTIES)
def test_a_role_is_for_one_subject_and_one_policy_and_ends_with_the_function(name: DutyName) -> None:
    assert role(Duty(name)) == {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["vault"],
        "bound_subject": f"mailark-{name}",
        "token_policies": [f"mailark-{name}"],
        "token_no_default_policy": True,
        "token_type": "batch",
        "token_ttl": "15m",
        "token_max_ttl": "15m",
    }


@pytest.mark.parametrize("name", DUTIES)
def test_a_login_is_good_for_two_minutes(name: DutyName) -> None:
    assert claims(Duty(name), now=1_000_000) == {
        "iss": "mailark",
        "aud": "vault",
        "sub": f"mailark-{name}",
        "iat": 1_000_000,
        "nbf": 999_970,
        "exp": 1_000_120,
    }
