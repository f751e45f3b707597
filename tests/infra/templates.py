"""The synthesized templates, read as plain data: every intrinsic becomes the name or the ARN that AWS would give."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
ACCOUNT = "111122223333"
DATA_STACKS = ("MailarkDataPrimary", "MailarkDataStandby")
APP_STACKS = ("MailarkPrimary", "MailarkStandby")
STACKS = DATA_STACKS + APP_STACKS


@dataclass(frozen=True)
class House:
    """One synth: the folder it went to, its manifest, and its templates by construct id."""

    folder: Path
    manifest: dict[str, Any]
    stacks: "dict[str, Stack]"

    @staticmethod
    def read(folder: Path) -> "House":
        manifest = json.loads((folder / "manifest.json").read_text())
        house = House(folder, manifest, {})
        for name in STACKS:
            artifact = manifest["artifacts"][name]
            region = artifact["environment"].rsplit("/", 1)[-1]
            text = (folder / artifact["properties"]["templateFile"]).read_text()
            house.stacks[name] = Stack(name, region, text, json.loads(text), house)
        return house


@dataclass(frozen=True)
class Stack:
    """One template. `resources` gives logical ids and properties; `plain` resolves what stands in them."""

    name: str
    region: str
    text: str
    template: dict[str, Any]
    house: House

    @property
    def other_region(self) -> str:
        """The region of the house's other stacks."""
        return next(stack.region for stack in self.house.stacks.values() if stack.region != self.region)

    def resources(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The resources of some types, whole and unresolved."""
        for logical_id, resource in self.template["Resources"].items():
            if resource["Type"] in types:
                yield logical_id, resource

    def properties(self, *types: str) -> dict[str, dict[str, Any]]:
        """The resolved properties of the resources of some types."""
        return {name: self.plain(resource["Properties"]) for name, resource in self.resources(*types)}

    def plain(self, value: Any) -> Any:
        """A value with its intrinsics resolved."""
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, given), *_ = value.items()
            if name == "Ref":
                return self._ref(given)
            if name == "Fn::GetAtt":
                return self._attribute(*given)
            if name == "Fn::Join":
                return given[0].join(self.plain(part) for part in given[1])
            if name == "Fn::GetStackOutput":
                return self._output(given)
            if name.startswith("Fn::"):
                raise NotImplementedError(f"{name} in {self.name}: teach tests/infra/templates.py to resolve it")
        return {key: self.plain(each) for key, each in value.items()}

    def _ref(self, name: str) -> str:
        known = {"AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, "AWS::Region": self.region}
        if name in known:
            return known[name]
        resource = self.template["Resources"][name]
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::SNS::Topic" | "AWS::StepFunctions::StateMachine":
                return self._arn(name)
            case "AWS::KMS::Key" | "AWS::KMS::ReplicaKey":
                return self._purpose(name)
            case "AWS::S3::Bucket":
                return str(self.plain(properties["BucketName"]))
            case "AWS::IAM::Role":
                return str(self.plain(properties.get("RoleName", f"<{name}>")))
            case "AWS::Lambda::Function":
                return str(self.plain(properties["FunctionName"]))
            case "AWS::Logs::LogGroup":
                return str(properties["LogGroupName"])
        return f"<{name}>"

    def _attribute(self, name: str, attribute: str) -> str:
        return self._arn(name) if attribute == "Arn" else f"<{name}.{attribute}>"

    def _arn(self, name: str) -> str:
        resource = self.template["Resources"][name]
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::SNS::Topic":
                return self._regional("sns", properties["TopicName"])
            case "AWS::SQS::Queue":
                return self._regional("sqs", properties["QueueName"])
            case "AWS::StepFunctions::StateMachine":
                return self._regional("states", f"stateMachine:{properties['StateMachineName']}")
            case "AWS::Lambda::Function":
                return self._regional("lambda", f"function:{properties['FunctionName']}")
            case "AWS::Logs::LogGroup":
                return self._regional("logs", f"log-group:{properties['LogGroupName']}")
            case "AWS::KMS::Key" | "AWS::KMS::ReplicaKey":
                return self._regional("kms", f"key/{self._purpose(name)}")
            case "AWS::S3::Bucket":
                return f"arn:aws:s3:::{self.plain(properties['BucketName'])}"
        return f"<{name}.Arn>"

    def _regional(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{ACCOUNT}:{rest}"

    def _purpose(self, name: str) -> str:
        """What a key is for, as its alias says it; in these tests it stands for the id, the same in both regions."""
        for _, alias in self.resources("AWS::KMS::Alias"):
            if alias["Properties"]["TargetKeyId"] == {"Ref": name}:
                return str(alias["Properties"]["AliasName"]).removeprefix("alias/mailark-")
        raise LookupError(f"{name} in {self.name} has no alias")

    def _output(self, given: dict[str, str]) -> Any:
        for stack in self.house.stacks.values():
            own_name = self.house.manifest["artifacts"][stack.name]["properties"]["stackName"]
            if (own_name, stack.region) == (given["StackName"], given["Region"]):
                return stack.plain(stack.template["Outputs"][given["OutputName"]]["Value"])
        raise LookupError(f"no stack {given['StackName']} in {given['Region']}")

    def roles(self) -> dict[str, "Role"]:
        """Every role by its logical id, with all that its policies say."""
        return {name: Role.read(self, name, resource["Properties"]) for name, resource in self.resources(_ROLE)}

    def role_of(self, action: str) -> "Role":
        """The role of an action's function."""
        return next(role for role in self.roles().values() if role.action == action)


_ROLE = "AWS::IAM::Role"


def as_list(value: Any) -> list[Any]:
    """IAM writes a single value without a list."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True, order=True)
class Grant:
    """One IAM action on one resource; `condition` is its JSON text, empty when there is none."""

    action: str
    resource: str
    condition: str = ""


@dataclass(frozen=True)
class Role:
    """A role: `action` is the Mailark action it belongs to, None for a role of AWS's own services."""

    name: str
    action: str | None
    trusts: list[str]
    grants: frozenset[Grant]
    denials: frozenset[Grant]
    attached: list[str]
    stack: Stack

    @staticmethod
    def read(stack: Stack, logical_id: str, properties: dict[str, Any]) -> "Role":
        name = stack.plain(properties.get("RoleName", logical_id))
        match = re.fullmatch(rf"mailark-(.+)-{stack.region}", name)
        grants: set[Grant] = set()
        denials: set[Grant] = set()
        for _, policy in stack.resources("AWS::IAM::Policy"):
            if {"Ref": logical_id} in policy["Properties"]["Roles"]:
                document = stack.plain(policy["Properties"]["PolicyDocument"])
                for statement in document["Statement"]:
                    allowed = statement["Effect"] == "Allow"
                    (grants if allowed else denials).update(_grants(statement))
        return Role(
            name=name,
            action=match[1].replace("-", "_") if match else None,
            trusts=[
                statement["Principal"].get("Service", statement["Principal"])
                for statement in stack.plain(properties["AssumeRolePolicyDocument"])["Statement"]
            ],
            grants=frozenset(grants),
            denials=frozenset(denials),
            attached=[*properties.get("ManagedPolicyArns", []), *properties.get("Policies", [])],
            stack=stack,
        )

    def lines(self) -> list[str]:
        """What the role may do, a line each, in words that hold for either region."""
        return sorted(line(grant, self.stack) for grant in self.grants)


def _grants(statement: dict[str, Any]) -> Iterator[Grant]:
    unknown = set(statement) - {"Action", "Resource", "Effect", "Condition", "Sid"}
    if unknown:
        raise NotImplementedError(f"these tests do not judge {sorted(unknown)} in a policy: {statement}")
    condition = json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else ""
    for action in as_list(statement["Action"]):
        for resource in as_list(statement["Resource"]):
            yield Grant(action, resource, condition)


_IN_TRANSACTION = {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}


def in_transaction(grant: Grant) -> bool:
    """Does the grant hold only inside a transaction?"""
    return bool(grant.condition) and json.loads(grant.condition) == _IN_TRANSACTION


def line(grant: Grant, stack: Stack) -> str:
    """A grant in short: `kms:Decrypt backup for digest-key`, `s3:GetObject backups/vault/* in the other region`."""
    resource = grant.resource
    own = {stack.region: "", stack.other_region: " in the other region"}
    where = next((words for region, words in own.items() if region in resource), "")
    short = {
        rf"arn:aws:kms:[^:]+:{ACCOUNT}:key/(.+)": r"\1",
        rf"arn:aws:dynamodb:[^:]+:{ACCOUNT}:table/mailark-(.+)": r"\1",
        rf"arn:aws:s3:::mailark-([a-z-]+)-{ACCOUNT}-(?:{'|'.join(own)})(/.*)?": r"\1\2",
        rf"arn:aws:(?:ssm|states):[^:]+:{ACCOUNT}:(?:parameter|execution:|stateMachine:)(.+)": r"\1",
        rf"arn:aws:(?:sns|sqs|lambda):[^:]+:{ACCOUNT}:(?:function:)?mailark-(.+)": r"\1",
        rf"arn:aws:cloudwatch:[^:]+:{ACCOUNT}:alarm:(.+)": r"alarms \1",
        rf"arn:aws:ses:[^:]+:{ACCOUNT}:(.+)": r"\1",
        rf"arn:aws:secretsmanager:[^:]+:{ACCOUNT}:secret:(.+)": r"\1",
        rf"arn:aws:logs:[^:]+:{ACCOUNT}:log-group:/aws/lambda/mailark-(.+)": r"log of \1",
    }
    for pattern, replacement in short.items():
        resource, changed = re.subn(f"^{pattern}$", replacement, resource)
        if changed:
            break
    return f"{grant.action} {resource}{where}{_condition(grant)}"


def _condition(grant: Grant) -> str:
    if not grant.condition:
        return ""
    if in_transaction(grant):
        return " in a transaction"
    match json.loads(grant.condition):
        case {"StringEquals": {"kms:EncryptionContext:purpose": str(purpose)}, **rest} if not rest:
            return f" for {purpose}"
        case {"StringLikeIfExists": {"s3:prefix": str(prefix)}, **rest} if not rest:
            return f" under {prefix}"
        case {"StringEquals": {"cloudwatch:namespace": str(namespace)}, **rest} if not rest:
            return f" in the namespace {namespace}"
        case {"StringEquals": {"ses:FromAddress": str(sender)}, **rest} if not rest:
            return f" from {sender}"
    return f" if {grant.condition}"
