"""The stream of a table to the function that reads it: audit events to their archive, the escrow to its other half."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.action import Action

_EVENTS_AT_ONCE = 100
_ATTEMPTS = 20
_AGE = Duration.hours(12)
"""A stream holds a record for 24 hours (DynamoDB guide, "Change data capture"); half of them are left to a person."""


class TableStream(Construct):
    """What the reader cannot work off in time is named in the queue of undelivered events; an alarm is on that."""

    def __init__(self, scope: Construct, name: str, reader: Action, stream: str, undelivered: sqs.IQueue) -> None:
        super().__init__(scope, name)
        # Not the CDK's own construct: with a queue it widens the role's grants, which `permissions.py` says in full.
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            function_name=reader.function.function_name,
            event_source_arn=stream,
            starting_position="TRIM_HORIZON",
            batch_size=_EVENTS_AT_ONCE,
            # One item that cannot be worked off must not hold up the others.
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=_ATTEMPTS,
            maximum_record_age_in_seconds=_AGE.to_seconds(),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=undelivered.queue_arn)
            ),
        )
        # Lambda tries the stream with the role when the mapping is made.
        mapping.node.add_dependency(reader.role)
