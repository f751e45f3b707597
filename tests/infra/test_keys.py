"""The policies of the KMS keys: who administers a key cannot use it, and each use is bound to roles and a purpose."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra.names import KEYS, SIGNING_KEYS
from lambdas.domain.estate import parse_estate
from tests.infra.templates import ACCOUNT, APP_STACKS, DATA_STACKS, ROOT, House, as_list, line

_KEY_TYPES = ("AWS::KMS::Key", "AWS::KMS::ReplicaKey")

USES = {
    "Decrypt",
    "DeriveSharedSecret",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "VerifyMac",
}
"""AWS KMS developer guide, "Key policies", cryptographic operations."""
FOR_ALL = {"kms:DescribeKey", "kms:GetPublicKey"}
"""What the administration of a key allows to the account, so that IAM alone decides."""
DELEGATION = {"CreateGrant", "RetireGrant", "RevokeGrant"}
"""A grant hands a use on, past the key policy."""
SEALING = {"Encrypt", "GenerateDataKeyWithoutPlaintext"}
"""What an operator may do with IAM permission alone: seal a key, without ever seeing one opened."""


def _policies(house: House, stack: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every key by its purpose, with the statements of its policy."""
    template = house.stacks[stack]
    for logical_id, properties in template.properties(*_KEY_TYPES).items():
        yield template.plain({"Ref": logical_id}), properties["KeyPolicy"]["Statement"]


def _names(statement: dict[str, Any]) -> set[str]:
    return {action.removeprefix("kms:") for action in as_list(statement["Action"])}


both = pytest.mark.parametrize("stack", DATA_STACKS)


@both
def test_every_purpose_has_one_key_with_an_alias_of_its_own(house: House, stack: str) -> None:
    assert sorted(purpose for purpose, _ in _policies(house, stack)) == sorted(KEYS)


@both
def test_a_key_policy_names_the_account_alone_so_that_every_use_needs_iam_as_well(house: House, stack: str) -> None:
    for purpose, statements in _policies(house, stack):
        for statement in statements:
            assert statement["Effect"] == "Allow", purpose
            assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, purpose
            assert statement["Resource"] == "*", purpose  # in a key policy, this key


@both
def test_who_administers_a_key_can_neither_use_it_nor_hand_its_use_on(house: House, stack: str) -> None:
    for purpose, statements in _policies(house, stack):
        unbound = [statement for statement in statements if "Condition" not in statement]
        assert unbound, f"{purpose} is administered by nobody, and could never be mended"
        allowed = SEALING if purpose in ("seal", "escrow") else set()
        for statement in unbound:
            assert _names(statement) & (USES | DELEGATION) <= allowed, purpose


@both
def test_who_uses_a_key_cannot_administer_it(house: House, stack: str) -> None:
    for purpose, statements in _policies(house, stack):
        for statement in statements:
            if "Condition" in statement:
                assert _names(statement) <= USES, purpose


@both
def test_every_use_of_a_key_is_bound_to_roles_by_name(house: House, stack: str) -> None:
    uses = 0
    for purpose, statements in _policies(house, stack):
        for statement in statements:
            if "Condition" in statement:
                roles = as_list(statement["Condition"]["ArnEquals"]["aws:PrincipalArn"])
                assert roles
                assert all(re.fullmatch(rf"arn:aws:iam::{ACCOUNT}:role/[a-z0-9-]+", role) for role in roles), purpose
                uses += 1
    assert uses >= len(KEYS)


@both
def test_every_use_of_an_encryption_key_is_bound_to_one_purpose(house: House, stack: str) -> None:
    for purpose, statements in _policies(house, stack):
        for statement in statements:
            if "Condition" not in statement:
                continue
            condition = dict(statement["Condition"])
            condition.pop("ArnEquals")
            if purpose in SIGNING_KEYS:
                assert condition == {}, purpose
            else:
                bound = condition.pop("StringEquals")
                assert condition == {}, purpose
                assert isinstance(bound.pop("kms:EncryptionContext:purpose"), str), purpose
                assert bound == {}, purpose


@both
def test_a_signing_key_never_encrypts_and_an_encryption_key_never_signs(house: House, stack: str) -> None:
    for purpose, statements in _policies(house, stack):
        uses = {name for statement in statements for name in _names(statement)} & USES
        signing = {"Sign", "Verify"}
        assert uses <= (signing if purpose in SIGNING_KEYS else USES - signing), purpose


@both
def test_each_side_of_a_grant_has_the_other_the_key_s_policy_and_the_role_s(house: House, stack: str) -> None:
    """A grant on one side alone is either dead, or one mistake away from a leak."""
    region = house.stacks[stack].region
    by_key = set()
    for purpose, statements in _policies(house, stack):
        for statement in statements:
            if "Condition" in statement:
                bound = statement["Condition"].get("StringEquals", {}).get("kms:EncryptionContext:purpose")
                for role in as_list(statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]):
                    for name in _names(statement):
                        by_key.add((role.rsplit("/")[-1], f"kms:{name} {purpose}" + (f" for {bound}" if bound else "")))
    by_role = {
        (role.name, line(grant, role.stack).replace(" in the other region", ""))
        for app in APP_STACKS
        for role in house.stacks[app].roles().values()
        for grant in role.grants
        if grant.resource.startswith(f"arn:aws:kms:{region}:") and grant.action not in FOR_ALL
    }
    (host,) = parse_estate((ROOT / "estate.yaml").read_text()).vault.host_principals
    opened_by_the_host = (host.rsplit("/")[-1], "kms:Decrypt seal for vault-seal-key")
    assert by_key == by_role | {opened_by_the_host}


def test_a_key_of_the_primary_is_multi_region_and_the_standby_holds_its_replica(house: House) -> None:
    primary, standby = (house.stacks[stack] for stack in DATA_STACKS)
    keys = primary.properties("AWS::KMS::Key")
    assert len(keys) == len(KEYS)
    assert all(key["MultiRegion"] is True for key in keys.values())
    replicas = standby.properties("AWS::KMS::ReplicaKey")
    assert not list(standby.resources("AWS::KMS::Key"))
    copied = {standby.plain({"Ref": name}): replica["PrimaryKeyArn"] for name, replica in replicas.items()}
    assert copied == {key: f"arn:aws:kms:{primary.region}:{ACCOUNT}:key/{key}" for key in KEYS}


def test_an_encryption_key_is_rotated_every_year_and_a_signing_key_signs_only(house: House) -> None:
    primary = house.stacks["MailarkDataPrimary"]
    for name, key in primary.properties("AWS::KMS::Key").items():
        if primary.plain({"Ref": name}) in SIGNING_KEYS:
            assert key["KeyUsage"] == "SIGN_VERIFY"
            assert "EnableKeyRotation" not in key  # KMS rotates symmetric keys only
        else:
            assert key["KeyUsage"] == "ENCRYPT_DECRYPT"
            assert key["EnableKeyRotation"] is True


@both
def test_a_key_outlives_its_stack_and_takes_thirty_days_to_delete(house: House, stack: str) -> None:
    for name, resource in house.stacks[stack].resources(*_KEY_TYPES):
        assert resource["DeletionPolicy"] == "Retain", name
        assert resource["UpdateReplacePolicy"] == "Retain", name
        assert resource["Properties"]["PendingWindowInDays"] == 30, name
