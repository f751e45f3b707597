"""How executions that fail, stop or run too long behave in the emulator, seen from outside."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.aws import Aws
from tests.lab.small_functions import REGION, function, machine, task, unique
from tests.lab.waiting import until

_FAILING = "def handler(event, context):\n    open(event, 'a').write('called;')\n    raise RuntimeError('again')"


def stopped_between_two_attempts(aws: Aws, folder: Path) -> Any:
    again = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 1}]
    failing = task(function(aws, _FAILING), Retry=again)
    arn = machine(aws, {"StartAt": "Failing", "States": {"Failing": failing}})
    states = aws.client("stepfunctions", REGION)
    files = {name: folder / unique(name) for name in ("stopped", "left alone")}

    def start(name: str) -> str:
        started = states.start_execution(stateMachineArn=arn, input=json.dumps(str(files[name])))
        return str(started["executionArn"])

    stopped = start("stopped")
    until(files["stopped"].exists, "the first attempt")
    states.stop_execution(executionArn=stopped)
    called = files["stopped"].read_text()
    # One that starts later and goes through all of its attempts: by its end the other would have made its own.
    _end_of(states, start("left alone"))
    assert files["left alone"].read_text() == "called;" * 3
    return states.describe_execution(executionArn=stopped)["status"], files["stopped"].read_text().removeprefix(called)


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
