"""People with credentials of their own in the deployed account, and what somebody who approves may do."""

import json
from dataclasses import dataclass

from lab.aws import ACCOUNT
from lambdas.domain.operation import machine_name
from tests.scenarios.commands import environment
from tests.scenarios.house import House


@dataclass(frozen=True)
class Person:
    """A user of the account; `key` is their access key with its secret."""

    arn: str
    key: tuple[str, str]

    def environment(self, house: House) -> dict[str, str]:
        """What they have in their shell."""
        return environment(house) | house.lab.aws.environment(self.key)

    def start(self, house: House, scenario: str, given: object) -> str:
        """Start a scenario in their own name; the execution's ARN."""
        region = house.lab.primary
        arn = f"arn:aws:states:{region}:{ACCOUNT}:stateMachine:{machine_name(scenario)}"
        states = house.lab.aws.client("stepfunctions", region, self.key)
        return str(states.start_execution(stateMachineArn=arn, input=json.dumps(given))["executionArn"])


def person(house: House, name: str) -> Person:
    """A person who may start scenarios, and decide approvals: with the policy of docs/operating.md."""
    iam = house.lab.client("iam")
    arn = str(iam.create_user(UserName=name)["User"]["Arn"])
    start = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [start, *may_decide(house.lab.primary)]}
    iam.put_user_policy(UserName=name, PolicyName="on-call", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Person(arn, (key["AccessKeyId"], key["SecretAccessKey"]))


def may_decide(region: str) -> list[dict[str, object]]:
    """What a person needs who decides approvals: to read them, to write a decision, and to have it read."""
    where = f"{region}:{ACCOUNT}"
    return [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:Scan"],
            "Resource": f"arn:aws:dynamodb:{where}:table/mailark-approvals",
        },
        {
            "Effect": "Allow",
            "Action": "ssm:PutParameter",
            "Resource": f"arn:aws:ssm:{where}:parameter/mailark/approvals/*",
        },
        {
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": f"arn:aws:lambda:{where}:function:mailark-decide-approval",
        },
    ]
