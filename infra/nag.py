"""cdk-nag's AWS Solutions checks over the whole app; a finding that stands is acknowledged beside what it is about."""

from aws_cdk import Acknowledgment, App, Aws, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct


def check_best_practices(app: App) -> None:
    """Fail the synth on any finding that is not acknowledged."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(scope: IConstruct, finding: str, reason: str) -> None:
    """Let a finding of the AWS Solutions pack stand, such as `AwsSolutions-L1`, for the reason given."""
    Validations.of(scope).acknowledge(Acknowledgment(id=f"AwsSolutions::{finding}", reason=reason))


def wildcard_finding(resource: str) -> str:
    """The finding about a resource with a wildcard in a policy, as cdk-nag writes it."""
    plain = resource.replace(Aws.PARTITION, "<AWS::Partition>").replace(Aws.ACCOUNT_ID, "<AWS::AccountId>")
    return f"AwsSolutions-IAM5[Resource::{plain}]"
