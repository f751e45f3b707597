"""How executions that fail, stop or run too long behave in the emulator, seen from outside."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.aws import Aws
from tests.lab.small_functions import REGION, function, machine, task, unique
from tests.lab.waiting import until

_FAILING = """
import pathlib, time
def handler(files, context):
    with open(files['calls'], 'a') as calls:
        calls.write('called;')
    while not pathlib.Path(files['go on']).exists():
        time.sleep(0.05)
    raise RuntimeError('again')
"""


def stopped_in_an_attempt(aws: Aws, folder: Path) -> Any:
    return _stopped(aws, folder, "stop", "let it fail")


def stopped_between_two_attempts(aws: Aws, folder: Path) -> Any:
    return _stopped(aws, folder, "let it fail", "wait for its end", "stop")


def _stopped(aws: Aws, folder: Path, *order: str) -> Any:
    """The status of the stopped execution, and the calls that it made."""
    again = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 6, "MaxAttempts": 1}]
    failing = task(function(aws, _FAILING), Retry=again)
    arn = machine(aws, {"StartAt": "Failing", "States": {"Failing": failing}})
    states, calls, gate = aws.client("stepfunctions", REGION), folder / unique("calls"), folder / unique("go-on")

    def start(calls: Path) -> str:
        files = {"calls": str(calls), "go on": str(gate)}
        return str(states.start_execution(stateMachineArn=arn, input=json.dumps(files))["executionArn"])

    def failed() -> bool:
        events = states.get_execution_history(executionArn=stopped)["events"]
        return any(event["type"] == "TaskFailed" for event in events)

    stopped = start(calls)
    until(calls.exists, "the first attempt")
    deeds: dict[str, Callable[[], object]] = {
        "stop": lambda: states.stop_execution(executionArn=stopped),
        "let it fail": gate.touch,
        "wait for its end": lambda: until(failed, "the end of the first attempt"),
    }
    for deed in order:
        deeds[deed]()
    # One that starts later and goes through all of its attempts: by its end the other would have made its own.
    left_alone = folder / unique("calls")
    _end_of(states, start(left_alone))
    assert left_alone.read_text() == "called;" * 2
    return states.describe_execution(executionArn=stopped)["status"], calls.read_text()


def running_past_the_time_limit(aws: Aws, folder: Path) -> Any:
    waiting = {"Type": "Wait", "Seconds": 3, "End": True}
    arn = machine(aws, {"StartAt": "Waiting", "TimeoutSeconds": 1, "States": {"Waiting": waiting}})
    states, events = aws.client("stepfunctions", REGION), aws.client("events", REGION)
    rule, received = unique("rule"), make_queue(aws)
    ended = {"stateMachineArn": [arn], "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]}
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.states"], "detail": ended}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": received.arn}])
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    return _end_of(states, execution), [json.loads(text)["detail"]["status"] for text in received.wait()]


def _end_of(states: Any, execution: str) -> str:
    def ended() -> str | None:
        status = str(states.describe_execution(executionArn=execution)["status"])
        return None if status == "RUNNING" else status

    return str(until(ended, "the end of the execution"))


@dataclass(frozen=True)
class _Received:
    arn: str
    url: str
    client: Any

    def wait(self) -> list[str]:
        """The messages that have come, at least one."""

        def come() -> list[str]:
            answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            return [message["Body"] for message in answer.get("Messages", [])]

        return until(come, "a message")


def make_queue(aws: Aws) -> _Received:
    sqs = aws.client("sqs", REGION)
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return _Received(attributes["QueueArn"], url, sqs)
