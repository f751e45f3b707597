"""The estate as deployed: an SSM parameter in each region, so that a recovery needs no `cdk deploy`."""

from lambdas.adapters.aws import client
from lambdas.domain.estate import Estate, parse_estate

PARAMETER = "/mailark/estate"


def read_estate(region: str) -> Estate:
    """The estate of this region. Raises `EstateInvalid` when somebody has edited it badly."""
    value = client("ssm", region).get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    return parse_estate(value, file=f"SSM parameter {PARAMETER}")
