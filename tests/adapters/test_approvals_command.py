"""`python -m lambdas.approvals` as far as it asks and refuses; people decide on the deployed house."""

import dataclasses
from collections.abc import Callable

import pytest
from botocore.exceptions import NoCredentialsError

from lambdas import approvals as command
from lambdas.adapters.approvals import Approvals
from lambdas.adapters.decision_slips import DecisionSlips
from lambdas.domain.approval import Decision
from lambdas.domain.approval_errors import SlipMissing
from tests.domain.test_approval import ASKED, BEFORE, BOB, SLIP
from tests.servers.aws import PRIMARY, aws, refused
from tests.servers.tables import table

pytestmark = pytest.mark.usefixtures("_clean")

Said = tuple[int, str, str]


@pytest.fixture
def approvals() -> Approvals:
    aws("dynamodb").create_table(**table("mailark-approvals"))
    return Approvals(PRIMARY, "mailark-approvals")


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the command; its exit code, and what it says and complains of."""

    def run(*arguments: str, region: str = PRIMARY) -> Said:
        code = command.main(["--region", region, *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_what_waits_is_shown_with_all_that_one_needs_to_decide(approvals: Approvals, ask: Callable[..., Said]) -> None:
    approvals.open(ASKED)
    approvals.keep_token(ASKED.id, "marked-token")
    code, said, _ = ask("list")
    assert code == 0
    assert (
        said
        == f"""\
{ASKED.id}
  status:       pending
  asks:         import 4 rows into 3 tables
  on:           database smtpy on db.example.org
  preview:      s3://mailark-work/op-1/preview.json
  asked for by: ada, by their own account, at 2026-11-22T02:00:00.000Z
  reason given: an organization was deleted
  decide until: 2026-11-22T03:00:00.000Z
  operation:    data_deletion, {ASKED.execution}
"""
    )
    assert ask("show", ASKED.id) == (0, said, "")


def test_where_nothing_waits_it_says_so_and_in_which_region(approvals: Approvals, ask: Callable[..., Said]) -> None:
    approvals.open(dataclasses.replace(ASKED, status="expired"))
    assert ask("list") == (0, "Nothing waits for an approval in eu-central-1.\n", "")


def test_what_was_decided_is_shown_with_who_has_and_why(approvals: Approvals, ask: Callable[..., Said]) -> None:
    approvals.open(ASKED)
    approvals.decide(ASKED.id, Decision("refused", "too many rows", BOB, SLIP, 1), BEFORE)
    _, said, _ = ask("show", ASKED.id)
    assert said.endswith(f"  decided by:   {BOB} at {BEFORE}\n  because:      too many rows\n")


def test_an_unknown_approval_is_told_in_two_lines(approvals: Approvals, ask: Callable[..., Said]) -> None:
    assert approvals.pending() == []
    code, said, complaint = ask("show", "apr-0")
    assert (code, said) == (1, "")
    assert complaint.startswith("approval-unknown: No approval is known under apr-0.\nNext: ")


def test_a_decision_without_a_reason_is_not_even_written(ask: Callable[..., Said]) -> None:
    code, _, complaint = ask("refuse", ASKED.id, "--reason", " ")
    assert code == 1
    assert complaint.startswith("slip-invalid: ")
    slip = complaint.split(" is not valid")[0].rsplit(" ", 1)[1]
    with pytest.raises(SlipMissing):
        DecisionSlips(PRIMARY).read(slip)


@pytest.mark.parametrize(
    ("code", "fact"),
    [
        ("AccessDeniedException", "AWS has refused it: AccessDeniedException from Scan.\nNext: docs/operating.md"),
        ("UnrecognizedClientException", "This shell has no valid credentials for AWS: UnrecognizedClientException."),
        (None, "AWS has not answered: EndpointConnectionError.\nNext: Run this again"),
    ],
)
def test_what_aws_refuses_is_told_in_two_lines(
    approvals: Approvals, ask: Callable[..., Said], code: str | None, fact: str
) -> None:
    assert approvals.pending() == []
    with refused("Scan", code):
        status, said, complaint = ask("list")
    assert (status, said) == (1, "")
    assert complaint.startswith(fact)
    assert complaint.count("\n") == 2


def test_a_shell_without_a_region_or_credentials_is_told_what_to_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert command.main(["list"]) == 1
    assert capsys.readouterr().err == (
        "It is not known in which region to look.\nNext: Name it with --region, or set AWS_REGION.\n"
    )
    assert "aws sts get-caller-identity" in command._in_words(NoCredentialsError())
