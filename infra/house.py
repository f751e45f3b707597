"""The whole house: `MailarkData` and `Mailark`, in the primary and in the standby region."""

import os
from pathlib import Path

from aws_cdk import App, Environment, Tags

from infra.app_stack import AppStack, Deployed
from infra.code import Platform
from infra.data_stack import DataStack
from infra.nag import check_best_practices
from infra.scenario import scenario_names
from lambdas.domain.errors import EstateInvalid
from lambdas.domain.estate import is_the_examples_key, parse_estate

_DEFAULTS = {"estate": "estate.yaml", "python": "3.13", "architecture": "arm64", "endpoint": "", "endpoint_ca": ""}


def build_house(app: App) -> None:
    """Build every stack. Settings of synth (`-c name=value`): see `_DEFAULTS`; on AWS only `estate` is ever set."""
    setting = {name: str(app.node.try_get_context(name) or value) for name, value in _DEFAULTS.items()}
    file = Path(setting["estate"])
    text = _read(file)
    estate = parse_estate(text, str(file), frozenset(scenario_names()))
    deployed = Deployed(estate, text, Platform(setting["python"], setting["architecture"]), _endpoint(setting))
    account = os.environ.get("CDK_DEFAULT_ACCOUNT")
    if account and is_the_examples_key(estate.offline_public_key):
        problem = "this is the example's, whose private half nobody has; make a pair of your own (README, Deploy it)"
        raise EstateInvalid(file=str(file), key="offline_public_key", problem=problem)
    primary, standby = estate.regions.primary, estate.regions.standby
    network = estate.network
    first: DataStack | None = None
    for role, region, other in (("Primary", primary, standby), ("Standby", standby, primary)):
        env = Environment(account=account, region=region)
        data = DataStack(
            app,
            f"MailarkData{role}",
            stack_name="MailarkData",
            description="Mailark: backups, keys and evidence. Retained.",
            env=env,
            region=region,
            other_region=other,
            host_principals=estate.vault.host_principals,
            primary=first,
        )
        first = first or data
        AppStack(
            app,
            f"Mailark{role}",
            stack_name="Mailark",
            description="Mailark: functions, state machines, schedules, alerts.",
            env=env,
            region=region,
            other_region=other,
            data=data,
            deployed=deployed,
            subnetwork=(network.primary if role == "Primary" else network.standby) if network else None,
            active=role == "Primary",
        )
    Tags.of(app).add("application", "mailark")
    check_best_practices(app)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        problem = "expected a file that describes what is protected; the repository has an example"
        raise EstateInvalid(file=str(file), key="the whole file", problem=problem) from None


def _endpoint(setting: dict[str, str]) -> dict[str, str]:
    """Where AWS answers, when it is not at its own addresses."""
    if not setting["endpoint"]:
        return {}
    return {"AWS_ENDPOINT_URL": setting["endpoint"], "AWS_CA_BUNDLE": setting["endpoint_ca"]}
