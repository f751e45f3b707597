"""What AWS asks for what Mailark uses."""

from collections.abc import Mapping

Units = dict[str, float]
"""How much of what, by its name in `PRICES`."""

PRICES = {
    "state transition": (0.025 / 1000, "Step Functions pricing, standard workflows"),
    "GB-second of a function": (0.0000133334, "Lambda pricing, Arm"),
    "request of a function": (0.20 / 1e6, "Lambda pricing"),
    "KMS request": (0.03 / 10_000, "KMS pricing"),
    "KMS signature": (0.15 / 10_000, "KMS pricing, ECC keys"),
    "S3 write": (0.005 / 1000, "S3 pricing, PUT, COPY, POST and LIST"),
    "S3 read": (0.0004 / 1000, "S3 pricing, GET and all others"),
    "DynamoDB write unit": (0.625 / 1e6, "DynamoDB pricing, on demand"),
    "DynamoDB read unit": (0.125 / 1e6, "DynamoDB pricing, on demand"),
    "KMS key": (1.00, "KMS pricing, a month, in each region"),
    "secret": (0.40, "Secrets Manager pricing, a month, in each region"),
    "Secrets Manager request": (0.05 / 10_000, "Secrets Manager pricing"),
    "alarm": (0.10, "CloudWatch pricing, a month"),
    "custom metric": (0.30, "CloudWatch pricing, a month"),
    "GB in S3": (0.023, "S3 pricing, Standard, a month"),
    "GB in DynamoDB": (0.25, "DynamoDB pricing, Standard, a month"),
    "GB of continuous backups": (0.20, "DynamoDB pricing, point-in-time recovery, a month"),
    "GB to the other region": (0.02, "EC2 pricing, data transfer between regions"),
    "GB of logs": (0.50, "CloudWatch pricing"),
}
"""In USD, us-east-1, without free tiers; other regions are up to a quarter dearer."""


def usd(units: Mapping[str, float]) -> float:
    """What units cost together."""
    return sum(PRICES[unit][0] * count for unit, count in units.items())
