"""The permission to send mail: from one address, in one region, and nothing beside it."""

from typing import Any

import pytest
from aws_cdk import App, Stack

from infra.names import Names
from infra.uses import MailUse, Region

SENDER = "security@mailark.example.net"


def _granted(here: str) -> list[Any]:
    region = Region(Names(here, {}), Names("eu-north-1", {}))
    return [Stack(App()).resolve(each.to_statement_json()) for each in MailUse(SENDER).statements(region)]


def _identity(region: str, name: str) -> dict[str, Any]:
    parts = ["arn:", {"Ref": "AWS::Partition"}, f":ses:{region}:", {"Ref": "AWS::AccountId"}, f":identity/{name}"]
    return {"Fn::Join": ["", parts]}


@pytest.mark.parametrize("region", ["eu-central-1", "eu-west-1"])
def test_mail_may_be_sent_from_one_address_of_an_identity_in_the_functions_region_alone(region: str) -> None:
    assert _granted(region) == [
        {
            "Effect": "Allow",
            "Action": "ses:SendEmail",
            "Resource": [_identity(region, name) for name in (SENDER, "mailark.example.net", "example.net")],
            "Condition": {"StringEquals": {"ses:FromAddress": SENDER}},
        }
    ]


def test_the_address_is_the_estates_and_no_setting_of_the_function() -> None:
    region = Region(Names("eu-central-1", {}), Names("eu-west-1", {}))
    assert MailUse(SENDER).environment(region) == {}
