"""What a function may mail: the permission to send by Amazon SES, from one address and no other."""

from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.uses import Region
from lambdas.domain.mailu import domain_of


@dataclass(frozen=True)
class MailUse:
    """Sending mail from `sender`, in the function's own region.

    What SES has verified is that address or its whole domain, and it asks for the one that it has (SES guide, "Using
    IAM policies to control access"): so both are allowed, and the condition holds the address.
    """

    sender: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        identities = f"arn:{Aws.PARTITION}:ses:{region.here.region}:{Aws.ACCOUNT_ID}:identity"
        return [
            iam.PolicyStatement(
                actions=["ses:SendEmail"],
                resources=[f"{identities}/{name}" for name in (self.sender, domain_of(self.sender))],
                conditions={"StringEquals": {"ses:FromAddress": self.sender}},
            )
        ]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}
