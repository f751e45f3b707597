"""A credential leaks: within minutes it is dead, proved, and told, and the tenant's own programs notice nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lab.intruder import Intruder
from lambdas.domain.mail_login import Way
from tests.scenarios.house import House, broken, failure
from tests.scenarios.leaks import CONTACT, SCENARIO, Leak

_STEPS = ["CreateCredential", "SetCredential", "RevokeAppTokens", "ProveCredential", "FinishRotation", "TellTenant"]


def _escrow(leaked: Leak, region: str) -> list[tuple[str, str]]:
    """The tenant's values in the escrow of a region, and what became of each."""
    items = leaked.house.items("escrow", region)
    return sorted((each["item"], each["state"]) for each in items if leaked.tenant.id in each["path"])


def _logs_in(leaked: Leak, password: str) -> set[bool]:
    """Whether a password is let in, by each way; one answer is to come."""
    intruder = Intruder(leaked.house.lab.mail, leaked.tenant.email, password)
    found = {intruder.logs_in("198.51.100.23", way) for way in (Way.SSO, Way.IMAP, Way.SMTPS, Way.SUBMISSION)}
    intruder.close()
    return found


def test_the_intruder_is_out_the_tenants_programs_notice_nothing_and_everybody_is_told(
    house: House, leaked: Leak
) -> None:
    tenant, lab = leaked.tenant, house.lab
    with (
        Intruder.at_work(lab.mail, tenant.email, tenant.password) as intruder,
        lab.mail_client(tenant).running() as client,
    ):
        intruder.dig_in("eve@elsewhere.example")
        finished = house.run_well(SCENARIO, leaked.given)
        assert intruder.still_works() == ["the open connection"]
    assert client.failures == []
    assert client.logins > 10
    assert _logs_in(leaked, leaked.password()) == {True}

    assert finished.output is not None
    details = finished.output["details"]
    assert [step["state"] for step in finished.output["steps"]][2 : 2 + len(_STEPS)] == _STEPS
    assert details["proved_by"] == ["sso", "imap", "smtps", "submission"]
    assert (details["app_tokens_revoked"], details["tenant_told"], details["told_out_of_band"]) == (1, True, True)
    assert finished.output["rto"]["measured"] < finished.output["rto"]["objective"] == 300
    assert lab.platform().marks(tenant)["incident_id"] == "INC-7"
    assert house.audit_events(finished.arn) == ["operation_started", "credential_compromise_response"]
    assert house.audit_faults(leaked.target) == []
    house.wait_until(lambda: _escrow(leaked, lab.standby) == _escrow(leaked, lab.primary), "the escrow's copy")
    assert [state for _, state in _escrow(leaked, lab.standby)] == ["current"]

    assert sorted(address for mail in leaked.mails() for address in mail["To"]) == sorted([tenant.email, CONTACT])
    alert = house.alert_of(finished.arn)
    assert alert.subject == f"[example] credential leak, old password dead: {tenant.id}"
    assert "- The old one was tried, and refused by sso, imap, smtps, submission.\n" in alert.body
    assert f"{tenant.email} forwards its mail to eve@elsewhere.example" in alert.body
    assert "Open IMAP connections NOT cut: see below." in alert.body


def test_two_that_start_at_once_are_one_response(house: House, leaked: Leak) -> None:
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: house.start(SCENARIO, leaked.given), range(4)))
    outputs = [house.follow(arn).output or {} for arn in started]
    assert sum("operation_id" in each for each in outputs) == 1
    assert sum("duplicate_of" in each for each in outputs) == 3
    assert len(leaked.mails()) == 2
    assert house.lease_is_free(leaked.target)


@contextmanager
def _fails_at(leaked: Leak, action: str, state: str) -> Iterator[None]:
    """A response whose action is broken ends red; the alert is given on."""
    house = leaked.house
    with broken(house, action):
        finished = house.run(SCENARIO, leaked.given)
    assert failure(finished).code == "step-failed"
    alert = house.alert_of(finished.arn, saying=f"in the step {state}")
    assert "The password is a new one, in Mailu and in Vault." in alert.body
    assert house.lease_is_free(leaked.target)
    yield


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("revoke_app_tokens", "RevokeAppTokens"),
        ("prove_credential", "ProveCredential"),
        ("finish_rotation", "FinishRotation"),
        ("review_traces", "ReviewTraces"),
        ("alert_security", "AlertSecurity"),
        ("complete_operation", "CompleteOperation"),
    ],
)
def test_what_fails_once_the_password_is_replaced_ends_red_and_the_next_start_does_all_of_it(
    house: House, leaked: Leak, action: str, state: str
) -> None:
    with _fails_at(leaked, action, state):
        assert _logs_in(leaked, leaked.tenant.password) == {False}
        assert _logs_in(leaked, leaked.password()) == {True}
        between = leaked.password()
    house.run_well(SCENARIO, leaked.given)
    assert _logs_in(leaked, between) == {False}
    assert _logs_in(leaked, leaked.password()) == {True}


def test_a_tenant_that_could_not_be_told_stops_nothing_and_the_security_team_reads_it(
    house: House, leaked: Leak
) -> None:
    with broken(house, "tell_tenant"):
        finished = house.run_well(SCENARIO, leaked.given)
    assert finished.output is not None
    assert finished.output["details"]["tenant_told"] is False
    assert {"TellTenant", "TellTenantAgain"} <= set(house.states_entered(finished.arn))
    assert "The tenant was not told: that step failed. Call the tenant." in house.alert_of(finished.arn).body
    assert _logs_in(leaked, leaked.tenant.password) == {False}


def test_a_mail_server_that_is_down_leaves_the_tenant_as_it_was_and_says_that_the_password_works(
    house: House, leaked: Leak
) -> None:
    mail = house.lab.mail
    with mail.host.down(mail.server):
        finished = house.run(SCENARIO, leaked.given)
    assert failure(finished).code == "mailu-unreachable"
    assert leaked.password() == leaked.tenant.password
    assert _logs_in(leaked, leaked.tenant.password) == {True}
    assert "credential_compromise again at once" in house.alert_of(finished.arn).body
