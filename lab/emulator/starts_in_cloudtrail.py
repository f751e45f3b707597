"""CloudTrail's event history says who has started an execution; MiniStack's knows no caller and no answer.

What is recorded is the part that is asked for (Step Functions guide, "Logging API calls with CloudTrail").
"""

import json
import time
import uuid
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import cloudtrail, stepfunctions

_NAME = "StartExecution"


def apply() -> None:
    start = stepfunctions._start_execution

    def start_and_record(data: dict[str, Any]) -> Any:
        status, headers, body = start(data)
        if status == 200:
            _record(data["stateMachineArn"], json.loads(body))
        return status, headers, body

    stepfunctions._start_execution = start_and_record


def _record(machine: str, answer: dict[str, Any]) -> None:
    source = "states.amazonaws.com"
    told = {
        "eventSource": source,
        "eventName": _NAME,
        "userIdentity": {"arn": iam_evaluator.caller_arn()},
        "requestParameters": {"stateMachineArn": machine},
        "responseElements": {"executionArn": answer["executionArn"]},
    }
    cloudtrail._get_event_queue().append(
        {
            "EventId": str(uuid.uuid4()),
            "EventName": _NAME,
            "EventSource": source,
            "EventTime": time.time(),
            "ReadOnly": "false",
            "Resources": [],
            "CloudTrailEvent": json.dumps(told),
        }
    )
