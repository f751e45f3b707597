"""The documents hold what they promise."""

import subprocess
from pathlib import Path

import pytest

from docs.generate import documents as generated
from lab.aws import ROOT
from lab.deployment import BOOTSTRAP, DEPLOY
from tests.docs.reading import broken_links, commands, documents
from tests.scenarios.commands import COMMANDS

RUN_HERE = {
    "openssl genrsa -out offline-key.pem 4096",
    "openssl rsa -in offline-key.pem -pubout",
    "make install",
    "make demo",
}
"""Run by this file and by `test_demo.py`, as they stand."""

RUN_BY_THE_LAB = {BOOTSTRAP, DEPLOY}
"""Run whenever a lab starts, as they stand."""

RUN_BY_CI = {"make test"}


def test_every_command_in_a_document_is_run_by_a_test() -> None:
    assert set(commands()) == RUN_HERE | RUN_BY_THE_LAB | RUN_BY_CI | set(COMMANDS)


def test_what_follows_from_the_code_is_what_the_documents_say() -> None:
    stale = [str(path.relative_to(ROOT)) for path, text in generated().items() if path.read_text() != text]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_leads_nowhere(document: Path) -> None:
    assert broken_links(document) == []


def test_the_operators_key_pair_is_made_by_the_two_commands(tmp_path: Path) -> None:
    from lambdas.domain.estate import parse_estate

    made = [command for command in commands() if command.startswith("openssl") and command in RUN_HERE]
    for command in made:
        done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    indented = done.stdout.replace("\n", "\n  ")
    text = (ROOT / "estate.yaml").read_text().partition("offline_public_key")[0]
    estate = parse_estate(f"{text}offline_public_key: |\n  {indented}")
    assert estate.offline_public_key == done.stdout


def test_make_install_is_what_the_other_commands_need() -> None:
    done = subprocess.run(["make", "install"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_ci_runs_make_test_and_nothing_cleverer() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "exec make test"
