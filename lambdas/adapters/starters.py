"""Who has started an execution: CloudTrail alone knows, by its event history, which every account has for 90 days."""

import json
from datetime import datetime, timedelta
from typing import Any

from lambdas.adapters.aws import client

_CLOCKS_DIFFER = timedelta(minutes=5)
"""CloudTrail gives the time of a request in whole seconds, and its clock is not that of Step Functions."""


def starter_of(region: str, execution: str, started_at: str) -> str | None:
    """The ARN of who called StartExecution, or the name of a service of AWS that did.

    None while CloudTrail does not show it, which may take 15 minutes (CloudTrail guide, "Event history").
    """
    cloudtrail: Any = client("cloudtrail", region)
    at = datetime.fromisoformat(started_at)
    arguments: dict[str, Any] = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "StartExecution"}],
        "StartTime": at - _CLOCKS_DIFFER,
        "EndTime": at + _CLOCKS_DIFFER,
        "MaxResults": 50,
    }
    while True:
        page = cloudtrail.lookup_events(**arguments)
        for each in page["Events"]:
            told = json.loads(each["CloudTrailEvent"])
            if (told.get("responseElements") or {}).get("executionArn") == execution:
                caller = told.get("userIdentity") or {}
                return caller.get("arn") or caller.get("invokedBy")
        if not page.get("NextToken"):
            return None
        arguments["NextToken"] = page["NextToken"]
