"""The documents hold what they promise."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from docs.generate import documents as generated
from infra.scenario import child_names
from lab.aws import ROOT
from lab.deployment import BOOTSTRAP, DEPLOY
from lambdas.domain.errors import all_errors
from lambdas.domain.estate import Estate
from lambdas.domain.scenarios import SCENARIOS
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


def test_every_error_has_its_line_in_the_list_of_errors() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(error.code for error in all_errors())


def _keys(kind: type, above: str = "") -> Iterator[str]:
    """Every key of the estate, with those above it."""
    for field in msgspec.structs.fields(kind):
        own = f"{above}{field.encode_name}"
        yield own
        for part in _structs(msgspec.inspect.type_info(field.type)):
            yield from _keys(part, f"{own}.")


def _structs(info: object) -> Iterator[type]:
    """The structs that a field holds, itself or in a union; those of lists are described where the list is."""
    for each in info.types if isinstance(info, msgspec.inspect.UnionType) else [info]:
        if isinstance(each, msgspec.inspect.StructType):
            yield each.cls


def test_every_key_of_the_estate_is_described() -> None:
    _, _, page = (ROOT / "docs" / "operating.md").read_text().partition("## The estate")
    table = page.partition("\n## ")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in table.splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in row} | {f"{row[0]}.{name}" for row in rows for name in row[1:]}
    same_elsewhere = r"(alerts\.security|network\.(primary|standby)|database\.(staging|fresh))\."
    missing = [
        key
        for key in _keys(Estate)
        if key not in described
        and not re.match(same_elsewhere, key)
        and not any(name.startswith(f"{key}.") for name in described)
    ]
    assert missing == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_leads_nowhere(document: Path) -> None:
    assert broken_links(document) == []


def test_a_link_to_a_section_that_is_not_there_leads_nowhere(tmp_path: Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text(
        "# Other\n```sh\n# a comment\n```\n## What an alert means, and what `it` does\n## Twice\n## Twice\n"
    )
    page.write_text(
        "# A page\n[good](other.md#what-an-alert-means-and-what-it-does) [good](other.md#twice-1) [own](#a-page)\n"
        "[bad](other.md#a-comment) [bad](other.md#twice-2) [bad](#other) [gone](gone.md) [gone](gone.md#other)\n"
    )
    assert broken_links(page) == ["other.md#a-comment", "other.md#twice-2", "#other", "gone.md#", "gone.md#other"]
    assert broken_links(other) == []


def test_the_index_of_the_runbooks_leads_to_each_of_them() -> None:
    folder = ROOT / "docs" / "runbooks"
    listed = re.findall(r"\[(\w+)\]\(\1\.md\) \|", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.stem for path in folder.glob("*.md") if path.stem != "README")
    assert sorted(listed) == sorted([*SCENARIOS, *child_names()])


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


def _made(*goals: str) -> str:
    """What make prints."""
    command = ["make", "--no-print-directory", *goals]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def test_make_alone_names_everything_that_there_is_to_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    said = _made("help")
    assert said == _made()
    assert sorted(re.findall(r"^make (\S+) +\S", said, re.MULTILINE)) == sorted(targets)
    assert said.count("\n") == len(targets)


def test_ci_runs_make_test_and_nothing_cleverer() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "exec make test"
