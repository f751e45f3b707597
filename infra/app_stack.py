"""What works: functions, state machines, schedules and alerts of one region. Can be thrown away and deployed again."""

from dataclasses import dataclass, replace
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.action import Action, Network, Workplace
from infra.alerts import FailureReports, Topics, UndeliveredEvents
from infra.code import Platform, own_code, third_party_layer
from infra.data_stack import DataStack
from infra.dead_man import DeadMan
from infra.detection import Detection
from infra.grants import ESTATE_PARAMETER, ActionSpec
from infra.names import Names
from infra.permissions import ACTIONS
from infra.postgres_client import postgres_client_layer
from infra.scenario import Machine, child_names, scenario_names
from infra.schedule import FOLLOWS, SCHEDULES, Follower, Schedule
from infra.table_stream import TableStream
from infra.uses import CommandUse, MailUse, Region, SecretUse
from lambdas.domain.estate import Estate, Subnetwork
from lambdas.domain.estate_database import secret_in
from lambdas.domain.scenarios import SCENARIOS

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
            postgres=self._postgres(deployed),
            platform=deployed.platform,
            network=self._network(subnetwork) if subnetwork else None,
            environment={"MAILARK_ESTATE_NAME": estate.name, "POWERTOOLS_LOG_LEVEL": "INFO"} | deployed.environment,
        )
        actions = {
            name: Action(self, name, _with_estate(name, spec, estate, region), Region(here, other), workplace)
            for name, spec in ACTIONS.items()
        }
        topics = Topics(self, estate, here)
        undelivered = UndeliveredEvents(self, topics)
        for name in child_names():
            Machine(self, name, actions, here)
        scenarios = {name: Machine(self, name, actions, here) for name in scenario_names()}
        DeadMan(self, topics, other_region, kinds=estate.kinds, tested_here=active)
        wanted = {name: estate.database is not None or not each.needs_database for name, each in SCENARIOS.items()}
        for name in SCHEDULES:
            Schedule(self, name, scenarios[name], undelivered.queue, active=active, wanted=wanted[name])
        for name in FOLLOWS:
            Follower(self, name, scenarios, undelivered.queue, wanted=wanted[name])
        if estate.credentials is not None:
            watching = (actions["detect_compromise"], actions["sweep_suspects"])
            Detection(self, *watching, scenarios["credential_compromise"], topics, undelivered.queue)
        for name, reader, table in (
            ("AuditStream", "archive_audit_events", "audit-events"),
            ("EscrowStream", "copy_escrow", "escrow"),
        ):
            TableStream(self, name, actions[reader], data.streams[table], undelivered.queue)
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

    def _postgres(self, deployed: Deployed) -> lambda_.ILayerVersion | None:
        database = deployed.estate.database
        return postgres_client_layer(self, deployed.platform, [str(database.major)]) if database else None

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


def _with_estate(name: str, spec: ActionSpec, estate: Estate, region: str) -> ActionSpec:
    """The permissions that only some estates need: the secrets, the hosts and the sender that they name."""
    secrets: list[str] = []
    others: list[CommandUse | MailUse] = []
    if name == "restore_vault_snapshot" and estate.vault.unseal_keys_secret is not None:
        secrets.append(estate.vault.unseal_keys_secret)
    database = estate.database
    services = database.services if database else None
    if database is not None:
        secrets += [secret_in(region, secret) for secret in database.secrets(spec.logins)]
    if spec.reaches_services and services is not None:
        secrets += [secret_in(region, services.secret)] if services.secret else []
        others += [CommandUse(services.instance_id)] if services.instance_id else []
    if name == "copy_to_second_store" and database is not None and database.second_store is not None:
        secrets.append(secret_in(region, database.second_store.secret))
    if spec.sends_notices and estate.credentials is not None:
        others.append(MailUse(estate.credentials.notices_from))
    return replace(spec, uses=[*spec.uses, *(SecretUse(secret) for secret in secrets), *others])
