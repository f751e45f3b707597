"""Who may send mail by the emulator, seen from outside."""

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lab.aws import ACCOUNT, Aws
from tests.lab.small_functions import REGION, document, unique


def senders_that_one_may_use(aws: Aws, folder: Path) -> Any:
    """What becomes of mail from the address that one may send from, from another of its domain, and of a right to send
    by another identity."""
    del folder
    domain = f"{unique('mail')}.example.net"
    sender, other = f"security@{domain}", f"other@{domain}"
    aws.client("sesv2", REGION).create_email_identity(EmailIdentity=domain)
    own, stranger = (
        aws.client("sesv2", REGION, _user_who_may_send(aws, identity, sender)) for identity in (domain, "example.com")
    )
    return [_sent(own, sender), _sent(own, other), _sent(stranger, sender)]


def _user_who_may_send(aws: Aws, identity: str, sender: str) -> tuple[str, str]:
    name, iam = unique("user"), aws.client("iam", REGION)
    allowed = {
        "Effect": "Allow",
        "Action": "ses:SendEmail",
        "Resource": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{identity}",
        "Condition": {"StringEquals": {"ses:FromAddress": sender}},
    }
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=document(allowed))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _sent(client: Any, sender: str) -> str:
    simple = {"Subject": {"Data": "a subject"}, "Body": {"Text": {"Data": "a text"}}}
    try:
        client.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": ["ops@example.net"]},
            Content={"Simple": simple},
        )
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "sent"
