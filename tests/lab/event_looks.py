"""What EventBridge makes of an event in the emulator, seen from outside."""

import json
from pathlib import Path
from typing import Any

from lab.aws import Aws
from tests.lab.execution_looks import make_queue
from tests.lab.small_functions import REGION, unique


def input_made_of_an_entry_of_a_list(aws: Aws, folder: Path) -> Any:
    received, events, rule, source = make_queue(aws), aws.client("events", REGION), unique("rule"), unique("source")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
    paths = {"first": "$.detail.metrics[0].name", "all": "$.detail.metrics", "plain": "$.detail.plain"}
    transformer = {"InputPathsMap": paths, "InputTemplate": '{"first": <first>, "all": <all>, "plain": <plain>}'}
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": received.arn, "InputTransformer": transformer}])
    detail = {"metrics": [{"name": "a"}, {"name": "b"}], "plain": "text"}
    events.put_events(Entries=[{"Source": source, "DetailType": "a test", "Detail": json.dumps(detail)}])
    return json.loads(received.wait()[0])
