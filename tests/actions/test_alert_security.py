"""`alert_security`: the security team reads what was done, from plain data, and nobody else does."""

from typing import Any

import pytest

from lambdas.domain.errors import AwsUnavailable
from lambdas.domain.mailu_errors import TenantIdInvalid
from tests.actions.approvals import inbox, received
from tests.actions.house import House
from tests.domain.test_security_alert import ADMIN, RESPONSE, TENANT
from tests.servers.aws import refused

SUBJECT = f"[example] credential leak, old password dead: {TENANT}"


def _alert(house: House, response: Any = RESPONSE, name: str = "op-1") -> Any:
    return house.run("alert_security", {"operation": house.operation("vault_backup", name), "response": response})


def test_the_security_team_reads_it_and_the_operations_team_does_not(house: House) -> None:
    security, operations = inbox("security"), inbox("operations")
    assert _alert(house) == {"subject": SUBJECT}
    (text,) = received(security)
    assert text.startswith(f"{SUBJECT}\nA credential has leaked, and was replaced; old password dead.\n")
    assert "Incident:       INC-7\n" in text
    assert "  - 12: phone; made 2026-05-01, usable from everywhere\n" in text
    assert received(operations) == []


def test_plain_data_of_a_state_machine_is_enough(house: House) -> None:
    queue = inbox("security")
    response = {
        "tenant_id": TENANT,
        "email": ADMIN,
        "found": "an alarm",
        "replaced_at": "2026-11-22T03:04:05Z",
        "refused_by": ["sso", "imap"],
        "revoked": [{"id": "1", "email": ADMIN, "comment": "a\nb", "networks": [], "created": "2026-11-21"}],
        "imap_cut": False,
        "traces": [{"kind": "manager", "who": "eve@example.org", "what": ""}],
        "known_good_at": None,
        "told": [{"recipient": ADMIN, "status": "refused", "out_of_band": False, "problem": "MessageRejected"}],
    }
    assert _alert(house, response) == {"subject": SUBJECT}
    (text,) = received(queue)
    assert "- The old one was tried, and refused by sso, imap.\n" in text
    assert "  - 1: a?b; made 2026-11-21, usable from everywhere\n" in text
    assert "   - admin@example.org: MessageRejected\n" in text


def test_an_alert_that_could_not_be_published_is_an_error_and_the_next_run_publishes_it(house: House) -> None:
    queue = inbox("security")
    event = {"operation": house.operation("vault_backup"), "response": RESPONSE}
    with refused(lambda request: "sns." in request.url, "InternalFailure", 500), pytest.raises(AwsUnavailable):
        house.run("alert_security", event)
    assert house.run("alert_security", event) == {"subject": SUBJECT}
    assert len(received(queue)) == 1


def test_what_is_no_tenant_id_is_refused(house: House) -> None:
    with pytest.raises(TenantIdInvalid):
        _alert(house, {**_plain(), "tenant_id": "x; reboot"})


def _plain() -> dict[str, Any]:
    names = ("email", "found", "replaced_at", "refused_by", "revoked", "imap_cut", "traces", "known_good_at", "told")
    return {name: getattr(RESPONSE, name) for name in names}
