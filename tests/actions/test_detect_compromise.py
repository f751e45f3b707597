"""`detect_compromise`: from lines of the logs, as they are delivered, to an alarm a tenant or a question."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.adapters.suspicion_alarms import alarm_name
from lambdas.domain.detection import MAILU_LOGS, VAULT_LOGS
from lambdas.domain.errors import AwsUnavailable, Unexpected
from tests.actions.detection_house import TENANT, DetectionHouse, delivery, detection_house, from_networks, tenant
from tests.actions.house import House
from tests.domain.log_lines import failed, marked, read, sent
from tests.servers.aws import aws, refused
from tests.servers.detection import Full

NOTHING = {"lines": 0, "ignored": 0, "counted": 0, "raised": 0, "asked": 0, "held_back": 0}


@pytest.fixture
def detecting(house: House) -> Iterator[DetectionHouse]:
    with detection_house(house) as found:
        yield found


def test_forty_tenants_over_the_threshold_and_twenty_under_are_forty_alarms(detecting: DetectionHouse) -> None:
    detecting.set(automatic_an_hour=100)
    for number in range(60):
        detecting.mailu(tenant(number), *from_networks(6 if number < 40 else 5))
    assert detecting.alarmed() == [tenant(number) for number in range(40)]
    assert detecting.asked() == []


def test_an_alarm_says_whom_it_is_about_and_why(detecting: DetectionHouse) -> None:
    assert detecting.mailu(TENANT, *from_networks(6)) == NOTHING | {"lines": 6, "counted": 6, "raised": 1}
    (alarm,) = aws("cloudwatch").describe_alarms(AlarmNames=[alarm_name(TENANT)])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "tenant_id", "Value": TENANT}]
    said = alarm["AlarmDescription"]
    assert said.startswith("login_networks: admin@example.org logged in from 6 networks since ")


def test_what_was_found_stands_in_the_log_without_what_the_lines_said(detecting: DetectionHouse) -> None:
    detecting.mailu(TENANT, *from_networks(6))
    assert '"message":"suspicions"' in detecting.house.log
    assert '"raised":1' in detecting.house.log
    assert "admin@example.org" not in detecting.house.log


def test_what_comes_line_by_line_adds_up(detecting: DetectionHouse) -> None:
    answers = [detecting.mailu(TENANT, line) for line in from_networks(8)]
    assert [each["raised"] for each in answers] == [0, 0, 0, 0, 0, 1, 0, 0]
    assert detecting.alarmed() == [TENANT]


def test_a_batch_that_is_delivered_again_changes_nothing(detecting: DetectionHouse) -> None:
    detecting.set(failed_logins={"more_than": 10})
    batch = delivery(MAILU_LOGS, TENANT, *[failed()] * 6)
    assert [detecting.deliver(batch)["counted"] for _ in range(3)] == [6, 0, 0]
    assert detecting.asked() == []
    over = delivery(MAILU_LOGS, TENANT, *[failed()] * 5)
    assert [detecting.deliver(over)["asked"] for _ in range(3)] == [1, 0, 0]
    assert len(detecting.asked()) == 1


def test_failed_logins_are_asked_and_never_rotated(detecting: DetectionHouse) -> None:
    assert detecting.mailu(TENANT, *[failed()] * 101)["asked"] == 1
    ((subject, body),) = detecting.asked()
    assert subject == f"[example] failed_logins: tenant {TENANT}"
    assert "the estate says that a person decides" in body
    assert detecting.alarmed() == []


def test_far_more_mail_than_usual_is_rotated(detecting: DetectionHouse) -> None:
    detecting.set(sending={"at_least": 10})
    assert detecting.mailu(TENANT, *[sent()] * 10)["raised"] == 0
    assert detecting.mailu(TENANT, sent())["raised"] == 1


def test_a_person_who_reads_many_credentials_is_asked_about_for_each_of_them(detecting: DetectionHouse) -> None:
    detecting.set(credential_reads={"more_than": 2})
    assert detecting.vault(*[read(tenant(number)) for number in range(3)])["asked"] == 3
    subjects = [subject for subject, _ in detecting.asked()]
    assert sorted(subjects) == [f"[example] credential_reads: tenant {tenant(number)}" for number in range(3)]


def test_one_read_at_night_is_asked(detecting: DetectionHouse) -> None:
    assert detecting.deliver(delivery(VAULT_LOGS, "vault-1", read(TENANT), hours=-10))["asked"] == 1
    assert detecting.vault(read(TENANT))["asked"] == 0


def test_a_reset_without_an_incident_is_asked(detecting: DetectionHouse) -> None:
    assert detecting.vault(marked(TENANT))["asked"] == 1


def test_lines_that_nobody_understands_are_passed_over(detecting: DetectionHouse) -> None:
    hostile = ["", "\x00" * 50, "{" * 10_000, "[2026-11-22 02:00:00,000] INFO in nginx: Login attempt for: ", "\ud800"]
    answer = detecting.mailu(TENANT, *hostile, *from_networks(6), *hostile)
    assert (answer["lines"], answer["counted"], answer["raised"]) == (16, 6, 1)
    assert detecting.vault(*hostile)["counted"] == 0


@pytest.mark.parametrize(
    "stream", ["mailu-1", f"{TENANT.upper()}/admin", f"../{TENANT}", "", "11111111-2222-1333-8444-555555555555/admin"]
)
def test_a_stream_that_is_named_after_no_tenant_is_ignored_and_counted(stream: str, detecting: DetectionHouse) -> None:
    answer = detecting.deliver(delivery(MAILU_LOGS, stream, *from_networks(6)))
    assert answer == NOTHING | {"lines": 6, "ignored": 6}
    assert detecting.alarmed() == []
    assert '"message":"lines of no tenant"' in detecting.house.log
    assert '"lines":6' in detecting.house.log


def test_another_log_group_is_none_of_its_business(detecting: DetectionHouse) -> None:
    answer = detecting.deliver(delivery("/aws/lambda/else", TENANT, *from_networks(6)))
    assert answer == NOTHING | {"lines": 6, "ignored": 6}


def test_an_estate_without_credentials_has_nothing_to_look_for(detecting: DetectionHouse) -> None:
    estate = json.loads(detecting.house.estate_text(detecting.house.vault))
    detecting.set()
    detecting.house.put_estate(text=json.dumps(estate))
    assert detecting.mailu(TENANT, *from_networks(6)) == NOTHING | {"lines": 6, "ignored": 6}


def test_a_trial_of_the_connection_is_nothing(detecting: DetectionHouse) -> None:
    trial = delivery(MAILU_LOGS, TENANT, "CWL CONTROL MESSAGE: Checking health of destination", kind="CONTROL_MESSAGE")
    assert detecting.deliver(trial) == NOTHING


# --- too many ---------------------------------------------------------------------------------------------


def test_after_so_many_rotations_in_an_hour_the_next_ones_are_asked(detecting: DetectionHouse) -> None:
    detecting.set(automatic_an_hour=2)
    answers = [detecting.mailu(tenant(number), *from_networks(6)) for number in range(3)]
    assert [(each["raised"], each["asked"]) for each in answers] == [(1, 0), (1, 0), (0, 1)]
    assert detecting.alarmed() == [tenant(0), tenant(1)]
    ((subject, body),) = detecting.asked()
    assert subject == f"[example] login_networks: tenant {tenant(2)}"
    assert "(credentials.detection.automatic_an_hour)" in body


def test_after_so_many_questions_in_an_hour_the_next_ones_are_told_together(detecting: DetectionHouse) -> None:
    detecting.set(questions_an_hour=2)
    answer = detecting.vault(*[marked(tenant(number)) for number in range(5)])
    assert (answer["asked"], answer["held_back"]) == (2, 3)
    assert len(detecting.asked()) == 2
    assert detecting.held_back() == 3


def test_when_cloudwatch_takes_no_more_alarms_the_rest_are_told_together_and_get_theirs_later(
    detecting: DetectionHouse,
) -> None:
    """Five hundred at once are in `tests/adapters/test_suspicion_response.py`."""
    detecting.set(automatic_an_hour=100, reset_without_incident={"response": "rotate"})
    with refused(Full(5), "Throttling", 400):
        answer = detecting.vault(*[marked(tenant(number)) for number in range(30)])
    assert (answer["raised"], answer["held_back"]) == (5, 25)
    assert detecting.held_back() == 25
    assert detecting.sweep()["tripped"] == 25
    assert detecting.alarmed() == [tenant(number) for number in range(30)]


# --- what fails -------------------------------------------------------------------------------------------


def test_a_claim_is_let_go_when_the_alarm_cannot_be_tripped_and_the_next_delivery_goes_on(
    detecting: DetectionHouse,
) -> None:
    batch = delivery(MAILU_LOGS, TENANT, *from_networks(6))
    with refused("PutMetricData", "AccessDenied", 403), pytest.raises(Unexpected, match="AccessDenied"):
        detecting.deliver(batch)
    assert detecting.alarmed() == []
    assert [each.state for each in detecting.suspects()] == ["waiting"]
    assert detecting.deliver(batch) == NOTHING | {"lines": 6, "raised": 1}
    assert detecting.alarmed() == [TENANT]


def test_a_function_that_died_before_it_told_anybody_is_made_up_for_by_the_next_delivery(
    detecting: DetectionHouse,
) -> None:
    batch = delivery(MAILU_LOGS, TENANT, *[failed()] * 101)
    refuse = refused(lambda request: "sns." in request.url, "InternalError", 500)
    with refuse, pytest.raises(AwsUnavailable):
        detecting.deliver(batch)
    assert detecting.deliver(batch)["asked"] == 1
    assert len(detecting.asked()) == 1


def test_one_tenant_whose_alarm_fails_does_not_hold_up_the_others(detecting: DetectionHouse) -> None:
    detecting.set(reset_without_incident={"response": "rotate"})

    def of_the_first(request: Any) -> bool:
        return "monitoring." in request.url and tenant(0) in str(request.body)

    with refused(of_the_first, "AccessDenied", 403), pytest.raises(Unexpected, match="AccessDenied"):
        detecting.vault(*[marked(tenant(number)) for number in range(3)])
    assert detecting.alarmed() == [tenant(1), tenant(2)]


def test_a_table_that_refuses_loses_nothing(detecting: DetectionHouse) -> None:
    batch = delivery(MAILU_LOGS, TENANT, *from_networks(6))
    with refused("TransactWriteItems", "AccessDeniedException"), pytest.raises(Unexpected):
        detecting.deliver(batch)
    assert detecting.deliver(batch)["raised"] == 1
