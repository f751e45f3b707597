"""An estate with a network and all else that the example leaves out: one more synth (20 s), for what that brings."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.house import build_house
from infra.permissions import ACTIONS
from infra.scenario import definition, scenario_names
from lambdas.domain.scenarios import SCENARIOS
from tests.infra.asl import Machine
from tests.infra.conftest import app, synth
from tests.infra.templates import ACCOUNT, APP_STACKS, ROOT, Grant, House, Stack

STANDARD_PARAMETER, ADVANCED_PARAMETER = 4096, 8192
"""AWS Systems Manager quotas, in bytes."""
INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
"""What Lambda needs to put a function into a VPC (Lambda guide, "Giving Lambda functions access to a VPC")."""
_SECRETS = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret"
SECRET = f"{_SECRETS}:unseal-keys-AbCdEf"
FRESH = {"host": "db-fresh.example.org", "secret": f"{_SECRETS}:smtpy-db-fresh-AbCdEf"}
SECOND_STORE = {
    "endpoint": "https://s3.eu-central-003.backblazeb2.com",
    "region": "eu-central-003",
    "bucket": "example-second-copies",
    "secret": f"{_SECRETS}:second-store-AbCdEf",
}
SECRETS = {
    "live": "smtpy-db-AbCdEf",
    "staging": "smtpy-db-staging-AbCdEf",
    "fresh": "smtpy-db-fresh-AbCdEf",
    "service": "smtpy-service-AbCdEf",
}
LOGINS = {
    "assess_database": {"live"},
    "check_database": {"live"},
    "check_restore": {"live", "fresh", "service"},
    "check_services_start": {"fresh"},
    "check_swap_undo": {"live"},
    "drop_database": {"live", "staging", "fresh"},
    "dump_database": {"live"},
    "export_rows": {"live", "staging"},
    "find_lost_rows": {"live", "staging"},
    "import_rows": {"live", "staging"},
    "plan_row_recovery": {"live", "staging"},
    "restore_database": {"live", "staging", "fresh"},
    "swap_databases": {"live", "fresh"},
    "undo_database_swap": {"live"},
    "verify_database": {"live", "staging", "fresh"},
    "verify_services": {"service"},
}
"""Which servers an action may log in to: those that it reaches, and the live one wherever it is to be told apart."""
HOST = "i-0123456789abcdef0"
SERVICES = {"control": "ssm", "instance_id": HOST, "names": ["api"], "health": ["https://mail.example.org/health"]}


def _subnetwork(region: str) -> dict[str, Any]:
    return {
        "vpc_id": f"vpc-{region}",
        "subnet_ids": [f"subnet-{region}-a", f"subnet-{region}-b"],
        "security_group_ids": [f"sg-{region}"],
        "availability_zones": [f"{region}a", f"{region}b"],
    }


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house of an estate with all that is optional: a network in each region, unseal keys in a secret, a fresh
    server, a second store, services on a host that SSM reaches; and with much text."""
    folder = tmp_path_factory.mktemp("connected")
    estate = yaml.safe_load((ROOT / "estate.yaml").read_text())
    estate["network"] = {"primary": _subnetwork("eu-central-1"), "standby": _subnetwork("eu-west-1")}
    estate["vault"]["unseal_keys_secret"] = SECRET
    estate["database"] |= {"fresh": FRESH, "second_store": SECOND_STORE, "services": SERVICES}
    text = yaml.safe_dump(estate)
    text += f"# {'x' * (STANDARD_PARAMETER - len(text))}\n"
    (folder / "estate.yaml").write_text(text)
    return synth(folder / "cdk.out", {"estate": str(folder / "estate.yaml")})


def _import(*names: str) -> set[str]:
    """The actions whose code imports one of these: `module` whole, or `module.name` alone."""
    found = set()
    for path in (ROOT / "lambdas" / "actions").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported = {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
                if imported & set(names):
                    found.add(path.stem)
    return found


_VAULT = "vault_of_credentials"


def _reach_vault() -> set[str]:
    """The actions whose code uses the client of Vault."""
    target = "lambdas.adapters.credential_target"
    return _import("lambdas.adapters.vault", *(f"{target}.{each}" for each in ("rotator", "mailu_of", _VAULT)))


def _reach_database() -> set[str]:
    """The actions whose code logs in to PostgreSQL."""
    return _import(
        "lambdas.adapters.database_target.database_target",
        "lambdas.adapters.postgres.login_of",
        "lambdas.adapters.recovery_logins",
    )


def _reach_services() -> set[str]:
    """The actions whose code stops and starts services."""
    return _import("lambdas.adapters.service_control")


def _in_network() -> set[str]:
    return _reach_vault() | _reach_database() | _reach_services()


def test_the_table_knows_which_actions_call_vault() -> None:
    assert {action for action, spec in ACTIONS.items() if spec.reaches_vault} == _reach_vault()
    logins = {
        action for action, spec in ACTIONS.items() for use in spec.uses if getattr(use, "key", "").startswith("vault-")
    }
    assert logins == _reach_vault()


def test_the_table_knows_which_actions_reach_the_database_and_which_its_services() -> None:
    assert {action for action, spec in ACTIONS.items() if spec.reaches_database} == _reach_database()
    assert {action for action, spec in ACTIONS.items() if spec.reaches_services} == _reach_services()


@pytest.mark.parametrize(("stack", "region"), [("MailarkPrimary", "eu-central-1"), ("MailarkStandby", "eu-west-1")])
def test_exactly_the_functions_that_reach_the_estates_servers_are_in_the_network_of_their_region(
    connected: House, stack: str, region: str
) -> None:
    wanted = {"SubnetIds": [f"subnet-{region}-a", f"subnet-{region}-b"], "SecurityGroupIds": [f"sg-{region}"]}
    inside = {}
    for function in connected.stacks[stack].properties("AWS::Lambda::Function").values():
        if "VpcConfig" in function:
            inside[function["FunctionName"].removeprefix("mailark-").replace("-", "_")] = function["VpcConfig"]
    assert inside == dict.fromkeys(_in_network(), wanted)


@pytest.mark.parametrize("stack", APP_STACKS)
def test_lambda_may_connect_those_functions_and_their_own_code_may_not(connected: House, stack: str) -> None:
    template = connected.stacks[stack]
    for role in template.roles().values():
        connecting = {grant for grant in role.grants if grant.action.startswith("ec2:")}
        if role.action not in _in_network():
            assert connecting | role.denials == set(), role.name
            continue
        assert connecting == {Grant(action, "*") for action in INTERFACES}, role.name
        function = f"arn:aws:lambda:{template.region}:{ACCOUNT}:function:mailark-{role.action.replace('_', '-')}"
        by_own_code = f'{{"ArnEquals": {{"lambda:SourceFunctionArn": "{function}"}}}}'
        assert role.denials == {Grant(action, "*", by_own_code) for action in INTERFACES}, role.name


def _readers(template: Stack) -> set[tuple[str, str]]:
    """Who may read which secret: action and name of the secret, which is of the template's own region."""
    found = set()
    for role in template.roles().values():
        for grant in role.grants:
            if grant.action.startswith("secretsmanager:"):
                prefix = f"arn:aws:secretsmanager:{template.region}:{ACCOUNT}:secret:"
                assert grant.resource == SECRET or grant.resource.startswith(prefix), grant.resource
                found.add((str(role.action), grant.resource.rpartition(":")[2]))
    return found


@pytest.mark.parametrize("stack", APP_STACKS)
def test_a_secret_of_the_estate_is_read_by_those_that_need_it_alone(house: House, connected: House, stack: str) -> None:
    assert set(LOGINS) == _reach_database()
    logging_in = {(action, SECRETS[login]) for action, logins in LOGINS.items() for login in logins}
    on_fresh = {(action, login) for action, login in logging_in if login == SECRETS["fresh"]}
    by_supervisord = {(action, "smtpy-supervisord-AbCdEf") for action in _reach_services()}
    assert _readers(house.stacks[stack]) == (logging_in - on_fresh) | by_supervisord
    others = {("restore_vault_snapshot", "unseal-keys-AbCdEf"), ("copy_to_second_store", "second-store-AbCdEf")}
    assert _readers(connected.stacks[stack]) == logging_in | others


def test_those_are_the_servers_that_the_state_machines_send_an_action_to() -> None:
    """Whoever is sent to another server than the live one logs in to both, to tell them apart."""
    reached = {action: set[str]() for action in _import("lambdas.adapters.database_target.database_target")}
    for scenario in scenario_names():
        for task in Machine.read(definition(scenario)).invoking():
            if task.action in reached:
                place = task.definition["Arguments"]["Payload"].get("place", "live")
                places = {"live", "fresh"} if place == "{% $place %}" else {place, "live"}
                reached[task.action] |= {"live", "staging"} if SCENARIOS[scenario].mode == "rehearse" else places
    assert reached == {action: LOGINS[action] - {"service"} for action in reached}


@pytest.mark.parametrize("stack", APP_STACKS)
def test_a_host_is_commanded_by_what_stops_and_starts_its_services_alone_and_only_where_the_estate_names_one(
    house: House, connected: House, stack: str
) -> None:
    """Asking for a command's end and cancelling it take no resource (Service Authorization Reference, AWS SSM)."""
    region = connected.stacks[stack].region
    commanding = {
        Grant("ssm:SendCommand", f"arn:aws:ssm:{region}::document/AWS-RunShellScript"),
        Grant("ssm:SendCommand", f"arn:aws:ec2:{region}:{ACCOUNT}:instance/{HOST}"),
        Grant("ssm:CancelCommand", "*"),
        Grant("ssm:GetCommandInvocation", "*"),
    }
    assert _commanders(connected.stacks[stack]) == dict.fromkeys(_reach_services(), commanding)
    assert _commanders(house.stacks[stack]) == {}


def _commanders(template: Stack) -> dict[str, set[Grant]]:
    """Who may do anything by SSM but read parameters."""
    found = {}
    for role in template.roles().values():
        if grants := {
            each for each in role.grants if each.action.startswith("ssm:") and "Parameter" not in each.action
        }:
            found[str(role.action)] = grants
    return found


@pytest.mark.parametrize("stack", APP_STACKS)
def test_an_estate_too_long_for_a_standard_parameter_becomes_an_advanced_one(connected: House, stack: str) -> None:
    (parameter,) = connected.stacks[stack].properties("AWS::SSM::Parameter").values()
    assert STANDARD_PARAMETER < len(parameter["Value"].encode()) <= ADVANCED_PARAMETER
    assert parameter["Tier"] == "Advanced"


def test_an_estate_too_long_for_any_parameter_is_refused_with_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "estate.yaml").read_text()
    text += f"# {'x' * (ADVANCED_PARAMETER - len(text))}\n"
    (tmp_path / "estate.yaml").write_text(text)
    monkeypatch.chdir(ROOT)
    with pytest.raises(
        ValueError, match=r"^estate\.yaml has 819\d bytes, and AWS Systems Manager stores at most 8192$"
    ):
        build_house(app(tmp_path / "cdk.out", {"estate": str(tmp_path / "estate.yaml")}))
