"""What the functions that look for leaked credentials may do."""

from infra.grants import ESTATE, ActionSpec
from infra.uses import AlarmUse, MetricUse, QueueUse, TableUse, TopicUse, Use
from lambdas.adapters.suspicion_alarms import BY_KIND

_ANSWERING: list[Use] = [ESTATE, AlarmUse(), MetricUse(), TopicUse("security"), QueueUse("undelivered-events")]

DETECTION_ACTIONS: dict[str, ActionSpec] = {
    # A batch has at most 6 MB of lines (Lambda quotas): some thousands of Vault's, 30 ms each if all are suspicious.
    "detect_compromise": ActionSpec(
        512,
        300,
        [
            *_ANSWERING,
            TableUse("detection", ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")),
        ],
    ),
    # It ends before the next one begins.
    "sweep_suspects": ActionSpec(
        512,
        55,
        [
            *_ANSWERING,
            TableUse("detection", ("dynamodb:PutItem", "dynamodb:UpdateItem")),
            TableUse("detection", ("dynamodb:Query",), index=BY_KIND),
            TableUse("leases", ("dynamodb:Scan",)),
        ],
    ),
}
