"""`prove_credential`: the new password opens every way, and the one that leaked opens none."""

import pytest

from lab.mailu.running import broken
from lambdas.domain.mailu_errors import MailuUnreachable, PasswordNotProved
from tests.actions.credential_house import TenantHouse


def test_every_way_lets_the_new_one_in_and_refuses_the_old_one(tenant: TenantHouse) -> None:
    proved = tenant.rotate(tenant.operation(), "create_credential", "set_credential", "prove_credential")
    assert proved["ways"] == ["sso", "imap", "smtps", "submission"]
    assert proved["refused_by"] == proved["ways"]
    assert proved["not_offered"] == []
    assert proved["proved_at"] > "2026-11-22"


def test_a_way_that_is_not_offered_is_told_and_counts_for_nothing(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential", "set_credential")
    with broken(tenant.mailu.server, not_offered={"submission"}):
        proved = tenant.rotate(operation, "prove_credential")
    assert (proved["ways"], proved["not_offered"]) == (["sso", "imap", "smtps"], ["submission"])


def test_a_change_that_was_answered_with_200_and_not_made_is_no_proof(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential")
    with broken(tenant.mailu.server, unchanged=True):
        tenant.rotate(operation, "set_credential")
    with pytest.raises(PasswordNotProved, match=r"password-not-proved: .* sso refuses it"):
        tenant.rotate(operation, "prove_credential")


def test_a_server_that_cannot_be_asked_is_no_proof_either(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential", "set_credential")
    with broken(tenant.mailu.server, no_verdict=True), pytest.raises(MailuUnreachable, match="mailu-unreachable"):
        tenant.rotate(operation, "prove_credential")


def test_of_an_old_one_that_nobody_knew_nothing_is_said(tenant: TenantHouse) -> None:
    tenant.write(tenant.stored() | {"password": "not to be opened"})
    proved = tenant.rotate(tenant.operation(), "create_credential", "set_credential", "prove_credential")
    assert len(proved["ways"]) == 4
    assert proved["refused_by"] == []


def test_it_may_run_twice(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential", "set_credential")
    ways = [tenant.rotate(operation, "prove_credential")["ways"] for _ in range(2)]
    assert ways[0] == ways[1]
