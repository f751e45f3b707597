"""What works: functions and state machines, as AWS will be told to make them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.code import Platform, own_code
from infra.house import build_house
from infra.permissions import ACTIONS
from infra.scenario import child_names, definition, scenario_names
from lambdas.domain.errors import EstateInvalid
from lambdas.domain.operation import machine_name
from tests.infra.asl import Machine
from tests.infra.conftest import app
from tests.infra.machines import NOT_A_STEP
from tests.infra.templates import ACCOUNT, APP_STACKS, ROOT, STACKS, House, Stack

RESOURCES_OF_A_STACK = 500
"""AWS CloudFormation quotas."""
STANDARD_PARAMETER = 4096
"""AWS Systems Manager quotas, in bytes."""

OTHER_PYTHON = Platform("3.13" if sys.version_info[:2] != (3, 13) else "3.12", "arm64")

both = pytest.mark.parametrize("stack", APP_STACKS)


def _functions(stack: Stack) -> dict[str, dict[str, Any]]:
    """The functions by their action."""
    found = stack.properties("AWS::Lambda::Function").values()
    return {each["FunctionName"].removeprefix("mailark-").replace("-", "_"): each for each in found}


def _machines(stack: Stack) -> dict[str, dict[str, Any]]:
    """The state machines by their scenario."""
    found = stack.properties("AWS::StepFunctions::StateMachine").values()
    return {each["StateMachineName"].removeprefix("mailark-").replace("-", "_"): each for each in found}


# --- the example ------------------------------------------------------------------------------------------


def test_the_example_is_synthesized_but_for_no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its offline key would open every backup of whoever forgot to make one, and nobody has its private half."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
    with pytest.raises(EstateInvalid, match=r"estate.yaml, offline_public_key: this is the example's, whose private"):
        build_house(app(tmp_path, {}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "estate.yaml, the whole file: expected a file that describes what is protected"),
        ("name: example\n", "estate.yaml, regions: this key is required and missing."),
    ],
)
def test_a_mistake_in_the_estate_is_said_in_two_lines_and_without_a_traceback(
    text: str | None, said: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "estate.yaml").write_text(text)
    environment = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"estate-invalid: {said}")
    assert done.stderr.count("\n") == 2


# --- functions --------------------------------------------------------------------------------------------


@both
def test_every_action_is_a_function_and_every_function_an_action(house: House, stack: str) -> None:
    functions = _functions(house.stacks[stack])
    assert set(functions) == set(ACTIONS)
    for action, function in functions.items():
        assert function["Handler"] == f"lambdas.actions.{action}.handler"


@both
def test_every_function_runs_python_3_13_on_arm_with_the_layers_built_for_it(house: House, stack: str) -> None:
    template = house.stacks[stack]
    layers = template.properties("AWS::Lambda::LayerVersion")
    for properties in layers.values():
        assert properties["CompatibleRuntimes"] == ["python3.13"]
        assert properties["CompatibleArchitectures"] == ["arm64"]
    (third_party,) = (name for name in layers if name.startswith("ThirdParty"))
    (postgres,) = (name for name in layers if name.startswith("PostgresClient"))
    for action, function in _functions(template).items():
        assert function["Runtime"] == "python3.13", action
        assert function["Architectures"] == ["arm64"], action
        more = [f"<{postgres}>"] if ACTIONS[action].reaches_database else []
        assert set(function["Layers"]) == {f"<{third_party}>", *more}, action


@both
def test_every_function_has_a_role_and_a_log_of_its_own_that_is_kept_for_a_while(house: House, stack: str) -> None:
    template = house.stacks[stack]
    logs = {log["LogGroupName"]: log for log in template.properties("AWS::Logs::LogGroup").values()}
    roles = [
        function["Properties"]["Role"]["Fn::GetAtt"][0] for _, function in template.resources("AWS::Lambda::Function")
    ]
    assert len(set(roles)) == len(roles) == len(ACTIONS)
    for action, function in _functions(template).items():
        name = function["LoggingConfig"]["LogGroup"]
        assert name == f"/aws/lambda/mailark-{action.replace('_', '-')}"
        assert logs[name]["RetentionInDays"] == 90


@both
def test_a_function_ends_before_the_task_that_waits_for_it(house: House, stack: str) -> None:
    """Or Step Functions would go on while the function still changes the world."""
    limits = {action: function["Timeout"] for action, function in _functions(house.stacks[stack]).items()}
    waited_for = set()
    for scenario in [*scenario_names(), *child_names()]:
        for task in Machine.read(definition(scenario)).invoking():
            action, limit = task.action, task.definition["TimeoutSeconds"]
            # What waits for a person has no limit but theirs, and its function changes nothing that could be late.
            assert action == "request_approval" or limits[action] < limit, f"{task.name} in {scenario}"
            waited_for.add(action)
    assert waited_for == set(ACTIONS) - NOT_A_STEP


@both
def test_a_function_is_told_in_its_description_what_it_does(house: House, stack: str) -> None:
    for action, function in _functions(house.stacks[stack]).items():
        assert 10 < len(function["Description"]) <= 256, action
        assert function["Description"].endswith("."), action


@both
def test_no_function_is_told_a_secret_or_where_aws_is(house: House, stack: str) -> None:
    allowed = re.compile(r"MAILARK_[A-Z_]+_(KEY|TABLE|BUCKET|TOPIC)|MAILARK_ESTATE_NAME|POWERTOOLS_LOG_LEVEL")
    for action, function in _functions(house.stacks[stack]).items():
        for name, value in function["Environment"]["Variables"].items():
            assert allowed.fullmatch(name), f"{action}: {name}"
            if name.endswith("_KEY"):
                assert value.startswith("arn:aws:kms:"), f"{action}: {name}"


def test_bytecode_is_shipped_where_the_interpreter_is_the_functions_own() -> None:
    own = own_code(Platform(f"{sys.version_info.major}.{sys.version_info.minor}", "arm64"))
    other = own_code(OTHER_PYTHON)
    folder = Path("lambdas") / "actions" / "__pycache__"
    bytecode = folder / f"verify_backup.{sys.implementation.cache_tag}.pyc"
    assert (Path(own.path) / bytecode).is_file()
    assert not (Path(other.path) / folder).exists()
    assert own.path != other.path


def test_the_code_that_one_synth_reads_is_never_written_again_by_another() -> None:
    first = Path(own_code(OTHER_PYTHON).path)
    module = first / "lambdas" / "actions" / "take_vault_snapshot.py"
    before = module.stat()
    assert Path(own_code(OTHER_PYTHON).path) == first
    assert module.stat().st_ctime_ns == before.st_ctime_ns


def test_the_code_is_the_whole_package_and_nothing_else() -> None:
    def files(folder: Path) -> dict[Path, bytes]:
        found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {path.relative_to(folder): path.read_bytes() for path in found}

    shipped = Path(own_code(OTHER_PYTHON).path)
    assert [path.name for path in shipped.iterdir()] == ["lambdas"]
    assert not list(shipped.rglob("*.pyc"))
    assert files(shipped / "lambdas") == files(ROOT / "lambdas")


# --- state machines ---------------------------------------------------------------------------------------


@both
def test_every_file_is_a_machine_and_every_machine_a_file(house: House, stack: str) -> None:
    machines = _machines(house.stacks[stack])
    assert set(machines) == {*scenario_names(), *child_names()}
    for scenario, machine in machines.items():
        assert machine["StateMachineName"] == machine_name(scenario)
        assert json.loads(machine["DefinitionString"]) == definition(scenario)


@both
def test_every_action_that_a_machine_names_is_given_its_function_and_no_other_is(house: House, stack: str) -> None:
    template = house.stacks[stack]
    functions = {action: function["FunctionName"] for action, function in _functions(template).items()}
    for scenario, machine in _machines(template).items():
        named = set(re.findall(r"\$\{(.*?)\}", machine["DefinitionString"]))
        given = machine["DefinitionSubstitutions"]
        assert set(given) == named, scenario
        for action, arn in given.items():
            if action in child_names():
                assert arn == f"arn:aws:states:{template.region}:{ACCOUNT}:stateMachine:{machine_name(action)}"
                continue
            assert arn == f"arn:aws:lambda:{template.region}:{ACCOUNT}:function:{functions[action]}", scenario


@both
def test_every_machine_logs_and_traces_all_it_does(house: House, stack: str) -> None:
    template = house.stacks[stack]
    logs = {log["LogGroupName"]: log for log in template.properties("AWS::Logs::LogGroup").values()}
    for scenario, machine in _machines(template).items():
        assert machine["LoggingConfiguration"]["Level"] == "ALL"
        (destination,) = machine["LoggingConfiguration"]["Destinations"]
        group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"].split(":log-group:")[1]
        assert group == f"/aws/vendedlogs/states/{machine_name(scenario)}"
        assert logs[group]["RetentionInDays"] == 90
        assert machine["TracingConfiguration"] == {"Enabled": True}


# --- the template as a whole ------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_stays_under_the_number_of_resources_that_cloudformation_takes(house: House, stack: str) -> None:
    assert 0 < len(house.stacks[stack].template["Resources"]) < RESOURCES_OF_A_STACK


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_of_the_lab_stands_in_a_template(house: House, stack: str) -> None:
    lab = r"ministack|127\.0\.0\.1|localhost|AWS_ENDPOINT_URL|AWS_CA_BUNDLE|(?<![0-9a-f])0{12}(?![0-9a-f])"
    assert re.findall(lab, house.stacks[stack].text, re.IGNORECASE) == []


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_left_unresolved_in_a_template(house: House, stack: str) -> None:
    template = house.stacks[stack]
    assert "${Token[" not in template.text
    rest = json.loads(template.text)
    for resource in rest["Resources"].values():
        resource["Properties"].pop("DefinitionString", None)
    blanks = set(re.findall(r"\$\{.*?\}", json.dumps(rest)))
    assert blanks <= {"${AWS::Partition}", "${AWS::AccountId}", "${AWS::Region}"}


@both
def test_the_estate_is_stored_in_the_region_as_it_was_written_and_fits(house: House, stack: str) -> None:
    (parameter,) = house.stacks[stack].properties("AWS::SSM::Parameter").values()
    written = (ROOT / "estate.yaml").read_text()
    assert parameter["Name"] == "/mailark/estate"
    assert parameter["Value"] == written
    assert len(written.encode()) <= STANDARD_PARAMETER
    assert parameter["Tier"] == "Standard"


def test_both_regions_get_the_same_but_for_what_names_a_region(house: House) -> None:
    primary, standby = (house.stacks[stack] for stack in APP_STACKS)
    assert {resource["Type"] for resource in primary.template["Resources"].values()} == {
        resource["Type"] for resource in standby.template["Resources"].values()
    }
    assert set(_functions(primary)) == set(_functions(standby))
    assert {name: machine["DefinitionString"] for name, machine in _machines(primary).items()} == {
        name: machine["DefinitionString"] for name, machine in _machines(standby).items()
    }
