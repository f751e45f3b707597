"""What works: functions, state machines, schedules and alerts of one region. Can be thrown away and deployed again."""

from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.action import Action, Network, Workplace
from infra.alerts import FailureReports, Topics, UndeliveredEvents
from infra.audit import AuditStream
from infra.code import Platform, own_code, third_party_layer
from infra.data_stack import DataStack
from infra.dead_man import DeadMan
from infra.names import Names
from infra.permissions import ACTIONS, ESTATE_PARAMETER, ActionSpec
from infra.scenario import Scenario, scenario_names
from infra.schedule import FOLLOWS, SCHEDULES, Follower, Schedule
from infra.uses import Region, SecretUse
from lambdas.domain.estate import Estate, Subnetwork

_PARAMETER_BYTES = 8192
"""AWS Systems Manager quotas: an advanced parameter holds at most 8 KiB."""
_STANDARD_PARAMETER_BYTES = 4096


@dataclass(frozen=True)
class Deployed:
    """What is deployed: the estate, its text, the platform, and environment for every function (endpoints)."""

    estate: Estate
    estate_text: str
    platform: Platform
    environment: dict[str, str]


class AppStack(Stack):
    """`active` turns the schedules on."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        region: str,
        other_region: str,
        data: DataStack,
        deployed: Deployed,
        subnetwork: Subnetwork | None,
        active: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.add_stack_dependency(data)
        here, other = Names(region, data.key_ids), Names(other_region, data.key_ids)
        estate = deployed.estate
        self._estate_parameter(deployed.estate_text)
        workplace = Workplace(
            code=own_code(deployed.platform),
            layer=third_party_layer(self, deployed.platform),
            platform=deployed.platform,
            network=self._network(subnetwork) if subnetwork else None,
            environment={"MAILARK_ESTATE_NAME": estate.name, "POWERTOOLS_LOG_LEVEL": "INFO"} | deployed.environment,
        )
        actions = {
            name: Action(self, name, _with_estate(name, spec, estate), Region(here, other), workplace)
            for name, spec in ACTIONS.items()
        }
        topics = Topics(self, estate, here)
        undelivered = UndeliveredEvents(self, topics)
        scenarios = {name: Scenario(self, name, actions) for name in scenario_names()}
        DeadMan(self, topics, other_region, tested_here=active)
        for name in SCHEDULES:
            Schedule(self, name, scenarios[name], undelivered.queue, active=active)
        for name in FOLLOWS:
            Follower(self, name, scenarios, undelivered.queue)
        AuditStream(self, actions["archive_audit_events"], data.audit_stream, undelivered.queue)
        FailureReports(self, actions["report_failed_execution"], scenarios.values(), topics, undelivered.queue)

    def _estate_parameter(self, text: str) -> None:
        size = len(text.encode())
        if size > _PARAMETER_BYTES:
            raise ValueError(f"estate.yaml has {size} bytes, and AWS Systems Manager stores at most {_PARAMETER_BYTES}")
        advanced = size > _STANDARD_PARAMETER_BYTES
        ssm.StringParameter(
            self,
            "Estate",
            parameter_name=ESTATE_PARAMETER,
            string_value=text,
            description="The estate that Mailark protects",
            tier=ssm.ParameterTier.ADVANCED if advanced else ssm.ParameterTier.STANDARD,
        )

    def _network(self, subnetwork: Subnetwork) -> Network:
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=subnetwork.vpc_id,
            availability_zones=subnetwork.availability_zones,
            private_subnet_ids=subnetwork.subnet_ids,
        )
        groups = [
            ec2.SecurityGroup.from_security_group_id(self, f"SecurityGroup{i}", group)
            for i, group in enumerate(subnetwork.security_group_ids)
        ]
        return Network(vpc, ec2.SubnetSelection(subnets=vpc.private_subnets), list(groups))


def _with_estate(name: str, spec: ActionSpec, estate: Estate) -> ActionSpec:
    """A permission that only some estates need."""
    secret = estate.vault.unseal_keys_secret
    if name == "restore_vault_snapshot" and secret is not None:
        return ActionSpec(spec.memory, spec.seconds, [*spec.uses, SecretUse(secret)], spec.reaches_vault)
    return spec
