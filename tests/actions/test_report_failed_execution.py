"""`report_failed_execution`: every execution that did not succeed reaches a person, and is closed.

moto has no error and no cause of an execution; a described one is answered here word for word, as Step Functions does.
"""

import json
from typing import Any

import pytest

from lambdas.domain.errors import ManifestInvalid, Unexpected
from lambdas.domain.mailark_error import Failure
from tests.actions.house import House, execution_arn, start_execution
from tests.servers.aws import ACCOUNT, PRIMARY, answering, aws, refused

ARN = execution_arn("vault_backup")
SEALED = "vault-sealed: Vault at https://vault.example.org is sealed.\nNext: Restart it."


def _queue_on(topic: str) -> str:
    """The URL of a queue on a topic."""
    queue = aws("sqs").create_queue(QueueName=topic)["QueueUrl"]
    arn = f"arn:aws:sns:{PRIMARY}:{ACCOUNT}:mailark-{topic}"
    aws("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{PRIMARY}:{ACCOUNT}:{topic}")
    return str(queue)


@pytest.fixture
def inbox(house: House) -> str:
    """Where the alerts for operations arrive."""
    return _queue_on("operations")


@pytest.fixture
def security_inbox(house: House) -> str:
    """Where the alerts for security arrive."""
    return _queue_on("security")


def _alerts(inbox: str) -> list[tuple[str, str]]:
    answer = aws("sqs").receive_message(QueueUrl=inbox, MaxNumberOfMessages=10)
    bodies = [json.loads(each["Body"]) for each in answer.get("Messages", [])]
    return [(body["Subject"], body["Message"]) for body in bodies]


def _described(status: str, error: str = "", cause: str = "") -> dict[str, Any]:
    ended = {"status": status, "startDate": 1795312800.0, "stopDate": 1795312861.0}
    return {"executionArn": ARN, "stateMachineArn": ARN} | ended | ({"error": error, "cause": cause} if error else {})


def _begun(house: House) -> None:
    house.operations().begin(house.operation("vault_backup"))


def test_an_execution_that_failed_is_told_with_what_happened_and_what_to_do(house: House, inbox: str) -> None:
    _begun(house)
    with answering("DescribeExecution", _described("FAILED", "VaultSealed", SEALED)):
        found = house.run("report_failed_execution", {"execution": ARN})
    assert found == {"subject": "[example] vault_backup failed: vault-sealed"}
    ((subject, body),) = _alerts(inbox)
    assert subject == found["subject"]
    for line in (
        "vault_backup failed.",
        "What happened:  Vault at https://vault.example.org is sealed.",
        "What to do now: Restart it.",
        "On:             backup#vault of example, region eu-central-1",
        "Started:        2026-11-22T02:00:00+00:00 by jo",
        "Ended:          2026-11-22T02:01:01+00:00",
        "Reason given:   a test",
        "Error code:     vault-sealed",
    ):
        assert line in body
    assert body.count(ARN) == 1


def test_a_backup_that_somebody_may_have_changed_is_told_to_security_too(
    house: House, inbox: str, security_inbox: str
) -> None:
    _begun(house)
    cause = str(ManifestInvalid(backup_id="b-1", problem="its signature does not match"))
    with answering("DescribeExecution", _described("FAILED", "ManifestInvalid", cause)):
        house.run("report_failed_execution", {"execution": ARN})
    alerts = _alerts(security_inbox)
    assert [subject for subject, _ in alerts] == ["[example] vault_backup failed: manifest-invalid"]
    assert alerts == _alerts(inbox)


def test_any_other_failure_is_not_told_to_security(house: House, inbox: str, security_inbox: str) -> None:
    _begun(house)
    with answering("DescribeExecution", _described("FAILED", "VaultSealed", SEALED)):
        house.run("report_failed_execution", {"execution": ARN})
    assert (len(_alerts(inbox)), _alerts(security_inbox)) == (1, [])


@pytest.mark.parametrize(
    ("status", "subject", "code"),
    [
        ("TIMED_OUT", "[example] vault_backup ran out of time: operation-timed-out", "operation-timed-out"),
        ("ABORTED", "[example] vault_backup was stopped: operation-stopped", "operation-stopped"),
    ],
)
def test_an_execution_that_runs_no_catch_is_told_and_closed(
    status: str, subject: str, code: str, house: House, inbox: str
) -> None:
    _begun(house)
    with answering("DescribeExecution", _described(status)):
        assert house.run("report_failed_execution", {"execution": ARN})["subject"] == subject
    row = house.operations().get("op-1")
    assert (row.status, row.outcome["code"]) == ("failed", code)
    assert [event.event for event in house.events()] == ["operation_started", "vault_backup_failed"]
    house.leases().take("backup#vault", "another", lambda _: True)
    assert len(_alerts(inbox)) == 1


def test_an_execution_that_was_really_stopped_is_told(house: House, inbox: str) -> None:
    arn = start_execution("vault_backup")
    _begun(house)
    aws("stepfunctions").stop_execution(executionArn=arn)
    found = house.run("report_failed_execution", {"execution": arn})
    assert found["subject"] == "[example] vault_backup was stopped: operation-stopped"


def test_what_fail_operation_recorded_is_told_rather_than_how_the_execution_ended(house: House, inbox: str) -> None:
    _begun(house)
    event = {"scenario": "vault_backup", "execution": ARN, "failed_state": "CheckVault"}
    house.run("fail_operation", event | {"error": "VaultSealed", "cause": json.dumps({"errorMessage": SEALED})})
    with answering("DescribeExecution", _described("FAILED", "VaultSealed", "")):
        house.run("report_failed_execution", {"execution": ARN})
    ((_, body),) = _alerts(inbox)
    assert "vault_backup failed in the step CheckVault." in body
    assert "What to do now: Restart it." in body
    assert [event.event for event in house.events()] == ["operation_started", "vault_backup_failed"]


def test_reporting_twice_tells_twice_and_records_once(house: House, inbox: str) -> None:
    _begun(house)
    with answering("DescribeExecution", _described("FAILED", "VaultSealed", SEALED)):
        found = [house.run("report_failed_execution", {"execution": ARN}) for _ in range(2)]
    assert found[0] == found[1]
    assert [event.event for event in house.events()] == ["operation_started", "vault_backup_failed"]
    assert house.operations().get("op-1").outcome["code"] == "vault-sealed"
    assert len(_alerts(inbox)) == 2


def test_an_execution_that_never_got_as_far_as_a_record_is_told_too(house: House, inbox: str) -> None:
    with answering("DescribeExecution", _described("FAILED", "InputInvalid", "input-invalid: No.\nNext: Yes.")):
        house.run("report_failed_execution", {"execution": ARN})
    ((subject, body),) = _alerts(inbox)
    assert subject == "[example] vault_backup failed: input-invalid"
    assert "What happened:  No." in body
    assert house.operations().get("op-1").status == "failed"


def test_an_estate_that_was_edited_badly_does_not_silence_the_alert(house: House, inbox: str) -> None:
    house.put_estate(text="{}")
    with answering("DescribeExecution", _described("FAILED", "EstateInvalid", "estate-invalid: x.\nNext: y.")):
        house.run("report_failed_execution", {"execution": ARN})
    assert len(_alerts(inbox)) == 1


def test_a_cause_without_words_of_its_own_is_not_quoted(house: House, inbox: str) -> None:
    house.secrets |= {"marked-secret-3f9c"}
    _begun(house)
    with answering("DescribeExecution", _described("FAILED", "Runtime.ExitError", "marked-secret-3f9c")):
        house.run("report_failed_execution", {"execution": ARN})
    ((_, body),) = _alerts(inbox)
    assert "marked-secret" not in body
    assert Failure.parse("marked-secret-3f9c") is None


def test_an_alert_that_cannot_be_sent_is_an_error_so_that_it_is_tried_again(house: House, inbox: str) -> None:
    _begun(house)
    with (
        answering("DescribeExecution", _described("ABORTED")),
        refused(lambda request: "sns." in request.url, "AuthorizationError", 403),
        pytest.raises(Unexpected, match="unexpected"),
    ):
        house.run("report_failed_execution", {"execution": ARN})
    assert _alerts(inbox) == []
    with answering("DescribeExecution", _described("ABORTED")):
        house.run("report_failed_execution", {"execution": ARN})
    assert len(_alerts(inbox)) == 1


def test_the_security_team_is_told_of_a_leak_that_nobody_has_answered(
    house: House, inbox: str, security_inbox: str
) -> None:
    arn = execution_arn("credential_compromise")
    described = _described("FAILED", "VaultSealed", SEALED) | {"executionArn": arn, "stateMachineArn": arn}
    with answering("DescribeExecution", described):
        house.run("report_failed_execution", {"execution": arn})
    subject = "[example] credential_compromise failed: vault-sealed"
    assert [each for each, _ in _alerts(inbox)] == [each for each, _ in _alerts(security_inbox)] == [subject]
