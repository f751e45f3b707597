"""Approvals on the deployed house: people with credentials of their own decide by the command, or too late.

The machine that asks is started as a scenario starts it: with the operation of an execution that Ada has started.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.aws import ACCOUNT, ROOT
from lab.watching import Finished, follow
from lambdas.domain.mailark_error import Failure
from tests.scenarios.commands import APPROVE, LIST_APPROVALS, REFUSE, SHOW_APPROVAL, SLIP, STATUS, ended, environment
from tests.scenarios.house import House
from tests.scenarios.people import Person, person

SCOPE = "platform#watch"
SECONDS = 30


@pytest.fixture(scope="module")
def ada(house: House) -> Person:
    return person(house, "ada")


@pytest.fixture(scope="module")
def bob(house: House) -> Person:
    return person(house, "bob")


@pytest.fixture(scope="module")
def operation(house: House, ada: Person) -> dict[str, Any]:
    """An operation that Ada has started, as its states pass it on."""
    finished = house.follow(ada.start(house, "backup_watch", {"reason": "how old is it?", "requested_by": "ada"}))
    assert finished.status == "SUCCEEDED", finished.cause
    row = house.operation(finished.arn)
    return {name: row[name] for name in ("id", "scenario", "execution", "mode", "started_at", "reason", "user_id")} | {
        "lease": {"target": row["target"], "token": row["token"]}
    }


@dataclass
class Asked:
    """An approval that somebody is asked for, and the execution that waits."""

    house: House
    waits: str
    id: str

    def ended(self) -> Finished:
        return follow(self.house.lab.client("stepfunctions"), self.waits, seconds=SECONDS)

    def row(self) -> dict[str, Any]:
        return next(each for each in self.house.items("approvals") if each["id"] == self.id)

    def told(self) -> list[tuple[str, str]]:
        """What the audit trail has heard of it, and of whom."""
        events = [each for each in self.house.items("audit-events") if self.id in each["details"]]
        return [(each["event"], each["user_id"]) for each in sorted(events, key=lambda each: each["sequence"])]


def _ask(house: House, operation: dict[str, Any], minutes: float | None = None) -> Asked:
    """Start the machine that asks, and wait until it has."""
    given: dict[str, Any] = {
        "operation": operation,
        "asks": "overwrite everything",
        "on": "the database",
        "topic": "security",
    }
    if minutes:
        given["expires_in_minutes"] = minutes
    machine = _machine_arn(house)
    started = house.lab.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given))
    return _asked(house, waits=started["executionArn"])


def _machine_arn(house: House) -> str:
    return f"arn:aws:states:{house.lab.primary}:{ACCOUNT}:stateMachine:mailark-approval"


def _asked(house: House, **of: str) -> Asked:
    """The approval that has these, once the people have been asked for it."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for row in house.items("approvals"):
            if of.items() <= row.items() and "sent_at" in row:
                return Asked(house, row["waits"], row["id"])
        time.sleep(0.1)
    raise TimeoutError(f"nobody was asked for an approval with {of}")


def _command(house: House, who: Person, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lambdas.approvals", *arguments],
        cwd=ROOT,
        env=who.environment(house),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _refused(done: subprocess.CompletedProcess[str]) -> str:
    """The code of what the command failed with, in two lines and nothing else."""
    assert done.returncode == 1, done.stdout
    assert done.stdout == ""
    found = Failure.parse(done.stderr)
    assert found is not None, done.stderr
    return found.code


def _as_bob(house: House, bob: Person, folder: Path, asked: Asked, *commands: str) -> str:
    """What commands of the page say to Bob, run as they stand."""
    given = {"APPROVAL": asked.id, "NAME": "bob"}
    done = [ended(each, folder, bob.environment(house) | given) for each in commands]
    assert [each.returncode for each in done] == [0] * len(commands), [each.stderr for each in done]
    return "".join(each.stdout for each in done)


@pytest.mark.parametrize(
    ("commands", "outcome"),
    [((LIST_APPROVALS, SHOW_APPROVAL, APPROVE), "approved"), ((REFUSE,), "refused"), (SLIP, "approved")],
    ids=["approve", "refuse", "without a checkout"],
)
def test_the_commands_of_the_page_decide(
    commands: tuple[str, ...], outcome: str, house: House, operation: dict[str, Any], bob: Person, checkout: Path
) -> None:
    asked = _ask(house, operation)
    assert outcome in _as_bob(house, bob, checkout, asked, *commands).casefold()
    assert asked.ended().output["outcome"] == outcome


def test_the_status_names_what_waits_and_the_command_that_it_shows_decides_it(
    house: House, operation: dict[str, Any], bob: Person, checkout: Path
) -> None:
    asked, stopped = _ask(house, operation), _ask(house, operation)
    house.lab.client("stepfunctions").stop_execution(executionArn=stopped.waits)
    told = json.loads(ended(f"{STATUS} --json", checkout, environment(house)).stdout)["waiting"]
    assert stopped.id not in {each["approval"]["id"] for each in told}
    (waiting,) = [each for each in told if each["approval"]["id"] == asked.id]
    done = ended(waiting["decide"], checkout, bob.environment(house))
    assert done.stdout == "Approved: overwrite everything. The operation goes on.\n", done.stderr
    assert asked.ended().output["outcome"] == "approved"


def test_somebody_else_approves_by_the_command_and_the_operation_hears_it(
    house: House, operation: dict[str, Any], ada: Person, bob: Person
) -> None:
    asked = _ask(house, operation)
    request = next(each for each in house.every_alert() if asked.id in each.body)
    assert request.subject == "[example] approval needed: overwrite everything"
    assert asked.row()["task_token"] not in request.body
    assert asked.id in _command(house, bob, "list").stdout

    assert _refused(_command(house, ada, "approve", asked.id, "--reason", "mine")) == "approval-own"
    done = _command(house, bob, "approve", asked.id, "--reason", "looked at the preview")
    assert (done.returncode, done.stdout) == (0, "Approved: overwrite everything. The operation goes on.\n"), (
        done.stderr
    )
    finished = asked.ended()

    assert finished.status == "SUCCEEDED", finished.cause
    assert finished.output | {"decided_at": ""} == {
        "approval_id": asked.id,
        "outcome": "approved",
        "decided_by": bob.arn,
        "decided_at": "",
        "reason": "looked at the preview",
    }
    assert asked.told() == [("approval_requested", "ada"), ("approval_granted", bob.arn)]
    assert house.audit_faults(SCOPE) == []
    again = _command(house, bob, "approve", asked.id, "--reason", "looked at the preview")
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert _refused(_command(house, bob, "refuse", asked.id, "--reason", "no")) == "approval-decided"
    assert "because:      looked at the preview" in _command(house, ada, "show", asked.id).stdout


def test_a_scenario_starts_it_and_waits_and_goes_on_with_its_outcome(
    house: House, operation: dict[str, Any], ada: Person, bob: Person
) -> None:
    states = house.lab.client("stepfunctions")
    own = "{% $merge([$states.input, {'execution': $states.context.Execution.Id}]) %}"
    asked = {"operation": own, "asks": "overwrite everything", "on": "the database", "topic": "operations"}
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "TimeoutSeconds": 600,
        "Arguments": {"StateMachineArn": _machine_arn(house), "Input": asked},
        "Output": "{% $states.result.Output %}",
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Ask", "States": {"Ask": ask}}
    role = states.describe_state_machine(stateMachineArn=_machine_arn(house))["roleArn"]
    states.create_state_machine(name="mailark-backup-watch-asking", definition=json.dumps(definition), roleArn=role)

    now = datetime.now(UTC).isoformat(timespec="seconds")
    parent = ada.start(house, "backup_watch_asking", operation | {"started_at": now})
    waiting = _asked(house, execution=parent)
    assert _refused(_command(house, ada, "approve", waiting.id, "--reason", "mine")) == "approval-own"
    assert _command(house, bob, "approve", waiting.id, "--reason", "seen").returncode == 0
    finished = follow(states, parent, seconds=SECONDS)
    assert finished.status == "SUCCEEDED", finished.cause
    assert (finished.output["outcome"], finished.output["decided_by"]) == ("approved", bob.arn)


def test_a_refusal_is_an_outcome_and_who_started_it_may_refuse(
    house: House, operation: dict[str, Any], ada: Person
) -> None:
    asked = _ask(house, operation)
    assert _refused(_command(house, ada, "refuse", asked.id, "--reason", " ")) == "slip-invalid"
    done = _command(house, ada, "refuse", asked.id, "--reason", "too many rows")
    assert done.stdout == "Refused: overwrite everything. The operation ends without doing it.\n", done.stderr
    finished = asked.ended()
    assert (finished.status, finished.output["outcome"]) == ("SUCCEEDED", "refused")
    assert asked.told() == [("approval_requested", "ada"), ("approval_refused", ada.arn)]


def test_what_nobody_decides_expires_as_data_and_then_it_is_too_late(
    house: House, operation: dict[str, Any], bob: Person
) -> None:
    asked = _ask(house, operation, minutes=0.1)
    finished = asked.ended()
    assert (finished.status, finished.output["outcome"]) == ("SUCCEEDED", "expired")
    assert asked.told() == [("approval_requested", "ada"), ("approval_expired", "system")]
    assert _refused(_command(house, bob, "approve", asked.id, "--reason", "late")) == "approval-expired"
    assert asked.id not in _command(house, bob, "list").stdout


def test_a_decision_for_an_execution_that_was_stopped_is_too_late(
    house: House, operation: dict[str, Any], bob: Person
) -> None:
    asked = _ask(house, operation)
    house.lab.client("stepfunctions").stop_execution(executionArn=asked.waits)
    assert _refused(_command(house, bob, "approve", asked.id, "--reason", "late")) == "approval-too-late"
    assert asked.row()["status"] == "pending"


def test_who_may_not_write_decisions_cannot_decide_nor_wake_the_operation_past_us(
    house: House, operation: dict[str, Any]
) -> None:
    asked = _ask(house, operation)
    stranger = _with_right_to_invoke_only(house)
    done = _command(house, stranger, "approve", asked.id, "--reason", "please")
    assert done.returncode == 1
    assert done.stderr.startswith("AWS has refused it: AccessDenied"), done.stderr
    # Even with the stolen token the operation is not let through: it reads what was decided, which is nothing.
    token = asked.row()["task_token"]
    house.lab.client("stepfunctions").send_task_success(taskToken=token, output='{"outcome": "approved"}')
    finished = asked.ended()
    assert (finished.status, finished.error) == ("FAILED", "ApprovalNotDecided")
    assert asked.row()["status"] == "pending"


def _with_right_to_invoke_only(house: House) -> Person:
    iam = house.lab.client("iam")
    arn = iam.create_user(UserName="stranger")["User"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="stranger", PolicyName="invoke", PolicyDocument=policy)
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    return Person(arn, (key["AccessKeyId"], key["SecretAccessKey"]))
