"""Metrics in CloudWatch, published at once: those that an alarm waits for, and misses when they do not come."""

from collections.abc import Mapping
from typing import Any

from lambdas.adapters.aws import client

NAMESPACE = "Mailark"
BACKUP_AGE, TEST_AGE = "BackupAgeSeconds", "RestoreTestAgeSeconds"
KIND = "kind"
"""The dimension of an age: the kind of backup that it is of."""


class Metrics:
    """The metrics of one region."""

    def __init__(self, region: str) -> None:
        self._cloudwatch: Any = client("cloudwatch", region)

    def publish_seconds(self, kind: str, values: Mapping[str, int | None]) -> None:
        """Publish durations about one kind of backup, by the metric's name; what is None does not exist, and is not."""
        data = [
            {"MetricName": name, "Dimensions": [{"Name": KIND, "Value": kind}], "Value": value, "Unit": "Seconds"}
            for name, value in values.items()
            if value is not None
        ]
        if data:
            self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
