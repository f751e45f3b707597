"""How the house is built: one name runs through, each layer knows those below it only, and imports do nothing."""

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

from infra.action import construct_name
from infra.permissions import ACTIONS
from infra.scenario import child_names, definition, scenario_names
from lambdas.domain.scenarios import SCENARIOS
from tests.infra.asl import Machine
from tests.infra.machines import NOT_A_STEP
from tests.infra.templates import APP_STACKS, ROOT, House

LINES = 400


def _modules(*folders: str) -> list[Path]:
    """The Python files of some folders, the empty ones left out."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if path.read_text().strip()]
    assert found
    return found


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _actions() -> list[str]:
    return [path.stem for path in _modules("lambdas/actions")]


def _imports(path: Path) -> Iterator[str]:
    """Everything that a module imports, at its top or anywhere inside."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)} has a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _calls(path: Path) -> Iterator[str]:
    """The dotted names of everything that a module takes an attribute of: `datetime.now`, `os.environ`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


# --- one name runs through --------------------------------------------------------------------------------


def test_every_action_is_called_by_a_verb_and_what_it_is_done_to() -> None:
    for action in _actions():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", action), action


def test_every_action_stands_in_the_table_of_permissions_and_nothing_else_does() -> None:
    assert set(ACTIONS) == set(_actions())


@pytest.mark.parametrize("stack", APP_STACKS)
def test_every_action_is_a_construct_of_its_name(house: House, stack: str) -> None:
    tree = json.loads((house.folder / "tree.json").read_text())["tree"]["children"][stack]["children"]
    with_function = {name for name, construct in tree.items() if "Function" in construct.get("children", {})}
    assert with_function == {construct_name(action) for action in _actions()}


def test_every_action_is_a_state_of_its_name_in_some_machine() -> None:
    """Where a machine runs an action a second time, that state says in a word more on what: `VerifyBackupSaved`."""
    states: dict[str, set[str]] = {}
    for scenario in [*scenario_names(), *child_names()]:
        for task in Machine.read(definition(scenario)).invoking():
            states.setdefault(task.action, set()).add(task.name)
    assert states.keys() == set(_actions()) - NOT_A_STEP
    for action, names in states.items():
        assert construct_name(action) in names
        assert all(
            re.fullmatch(rf"{construct_name(action)}(Saved|Copies|OnFresh|Again)?(AfterFailure)?", name)
            for name in names
        ), names


def test_every_action_takes_a_request_of_its_name() -> None:
    for action in _actions():
        handler = importlib.import_module(f"lambdas.actions.{action}").handler
        assert get_type_hints(handler.__wrapped__)["request"].__name__ == construct_name(action)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_has_a_test_file_of_its_name(action: str) -> None:
    assert (ROOT / "tests" / "actions" / f"test_{action}.py").exists()


# --- each layer knows those below it only -----------------------------------------------------------------


@pytest.mark.parametrize("path", _modules("lambdas/domain"), ids=_name)
def test_the_domain_knows_no_adapter_no_network_no_environment_and_no_clock(path: Path) -> None:
    banned = (
        *("lambdas.adapters", "lambdas.actions", "infra", "lab", "aws_cdk", "boto3", "botocore", "hvac", "requests"),
        *("urllib.request", "http", "socket", "subprocess", "aws_lambda_powertools", "aws_encryption_sdk", "time"),
        *("os.environ", "os.getenv"),
    )
    for imported in _imports(path):
        assert not any(imported == name or imported.startswith(f"{name}.") for name in banned), imported
    for call in _calls(path):
        assert not re.search(r"\bos\.(environ|getenv)\b|\bdatetime\.(now|utcnow|today)$|\bdate\.today$", call), call
        assert not re.search(r"\.(read_text|read_bytes|write_text|write_bytes)$", call), call


@pytest.mark.parametrize("path", _modules("lambdas/adapters"), ids=_name)
def test_an_adapter_knows_no_action_and_names_no_scenario(path: Path) -> None:
    assert not [name for name in _imports(path) if name.startswith(("lambdas.actions", "infra", "lab", "aws_cdk"))]
    for scenario in SCENARIOS:
        for name in (scenario, scenario.replace("_", "-"), construct_name(scenario)):
            assert not re.search(rf"\b{name}\b", path.read_text())


@pytest.mark.parametrize("path", _modules("lambdas/actions"), ids=_name)
def test_an_action_knows_no_other_action_and_is_short(path: Path) -> None:
    assert not [name for name in _imports(path) if name.startswith(("lambdas.actions", "infra", "lab", "aws_cdk"))]
    assert len(path.read_text().splitlines()) <= 120


@pytest.mark.parametrize("path", _modules("lambdas"), ids=_name)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    reads = [call for call in _calls(path) if re.match(r"os\.(environ|getenv|environb)\b", call)]
    imports = [name for name in _imports(path) if re.match(r"os\.(environ|getenv|environb)\b", name)]
    assert bool(reads or imports) == (_name(path) == "lambdas/adapters/settings.py")


def test_what_runs_in_aws_never_imports_what_builds_or_tries_it() -> None:
    for path in _modules("lambdas"):
        assert not [name for name in _imports(path) if name.split(".")[0] in ("infra", "lab", "tests", "aws_cdk")]
    for path in _modules("infra"):
        assert not [name for name in _imports(path) if name.split(".")[0] in ("lab", "tests")]


LOOPBACK = {'_LOOPBACK = "127.0.0.1"'}
"""Break glass starts an OpenBao on the operator's own machine, for that machine alone."""


def test_nothing_that_is_deployed_mentions_the_lab() -> None:
    lab = re.compile(r"\b(the lab|lab|ministack|emulator|emulated|moto|localhost|127\.0\.0\.1|pytest)\b", re.IGNORECASE)
    for path in [*_modules("lambdas", "infra"), *(ROOT / "statemachines").rglob("*.yaml"), ROOT / "app.py"]:
        found = [line for line in path.read_text().splitlines() if lab.search(line) and line not in LOOPBACK]
        assert found == [], _name(path)


# --- it stays readable ------------------------------------------------------------------------------------


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "tools", "base"}
    for path in _modules("lambdas", "infra", "lab", "tests"):
        assert not drawers & {*path.relative_to(ROOT).parts, path.stem}, _name(path)


def test_no_file_is_longer_than_one_reads_at_once() -> None:
    for path in [*_modules("lambdas", "infra", "lab"), *(ROOT / "statemachines").rglob("*.yaml")]:
        assert len(path.read_text().splitlines()) <= LINES, _name(path)


def test_every_module_says_what_it_is_for() -> None:
    for path in _modules("lambdas", "infra", "lab"):
        assert ast.get_docstring(ast.parse(path.read_text())), _name(path)


@pytest.mark.parametrize("path", _modules("lambdas", "infra"), ids=_name)
def test_every_public_function_and_class_says_what_it_is_for(path: Path) -> None:
    silent = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if path.parent.name == "actions" and (node.name == "handler" or _is_message(path, node)):
                continue  # its module has one thing to say, and its docstring is what the console shows
            if isinstance(node, ast.ClassDef) and "MailarkError" in [ast.unparse(base) for base in node.bases]:
                continue  # its sentence says it, and people read that one
            if not ast.get_docstring(node):
                silent.append(node.name)
    assert silent == []


def _is_message(path: Path, node: ast.AST) -> bool:
    """Is it what the action takes or returns?"""
    handler = importlib.import_module(f"lambdas.actions.{path.stem}").handler
    return isinstance(node, ast.ClassDef) and node.name in {
        hint.__name__ for name, hint in get_type_hints(handler.__wrapped__).items() if name in ("request", "return")
    }


# --- imports do nothing -----------------------------------------------------------------------------------

_WATCH = """
import importlib, os, sys

def refuse(event, arguments):
    if event == "open":
        flags = arguments[2]
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            raise AssertionError(f"an import writes {arguments[0]}")
    elif event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn",
                           "os.remove", "os.mkdir", "os.rename", "os.putenv", "shutil.", "urllib.Request")):
        raise AssertionError(f"an import does {event} {arguments}")

for name in sys.argv[1:]:
    sys.addaudithook(refuse) if name == "--watch" else importlib.import_module(name)
"""


def _import_in_a_new_process(*arguments: str, folder: Path = ROOT) -> str:
    """What a new interpreter complains of when it imports modules; what comes after `--watch` is watched."""
    bare = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)}
    command = [sys.executable, "-W", "error", "-c", _WATCH, *arguments]
    return subprocess.run(
        command, cwd="/", env=bare, capture_output=True, text=True, timeout=60, check=False
    ).stderr.strip()


def test_importing_any_module_of_the_functions_does_nothing_outside_and_needs_no_environment() -> None:
    modules = [_name(path).removesuffix(".py").replace("/", ".") for path in _modules("lambdas")]
    assert _import_in_a_new_process("--watch", *modules) == ""


@pytest.mark.parametrize(
    ("deed", "complaint"),
    [
        ("import socket; socket.socket()", "an import does socket."),
        ("open('never-written', 'w')", "an import writes never-written"),
        ("import subprocess; subprocess.run(['true'])", "an import does subprocess.Popen"),
        ("import os; os.environ['AWS_REGION']", "KeyError: 'AWS_REGION'"),
    ],
)
def test_an_import_that_does_something_is_found(tmp_path: Path, deed: str, complaint: str) -> None:
    (tmp_path / "guilty.py").write_text(deed)
    assert complaint in _import_in_a_new_process("socket", "subprocess", "--watch", "guilty", folder=tmp_path)
