"""What a function may mail: the permission to send by Amazon SES, from one address and no other."""

from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.uses import Region
from lambdas.domain.mailu import domain_of


@dataclass(frozen=True)
class MailUse:
    """Sending mail from `sender`, in the function's own region.

    What SES has verified is that address, its domain or one above it, and the right is asked for on the identity that
    there is (SES guide, "Verified identities"): so all are allowed, and the condition holds the address.
    """

    sender: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        identities = f"arn:{Aws.PARTITION}:ses:{region.here.region}:{Aws.ACCOUNT_ID}:identity"
        return [
            iam.PolicyStatement(
                actions=["ses:SendEmail"],
                resources=[f"{identities}/{name}" for name in (self.sender, *_domains(self.sender))],
                conditions={"StringEquals": {"ses:FromAddress": self.sender}},
            )
        ]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


def _domains(sender: str) -> list[str]:
    """The domain of an address and those above it, without the top-level one."""
    labels = domain_of(sender).split(".")
    return [".".join(labels[i:]) for i in range(len(labels) - 1)]
