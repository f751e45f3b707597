"""The message that somebody reads at night."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.alert import FailedOperation, TamperedEvent, failure_message, tampered_event_message
from lambdas.domain.mailark_error import Failure

FAILED = FailedOperation(
    estate="example",
    region="eu-central-1",
    scenario="vault_restore",
    target="vault",
    status="FAILED",
    started_at="2026-11-22T03:04:05Z",
    ended_at="2026-11-22T03:09:41Z",
    execution="arn:aws:states:eu-central-1:111122223333:execution:mailark-vault-restore:op-1",
    reason="Vault lost its disk",
    started_by="ada",
    failure=Failure("vault-sealed", "Vault at https://vault.example.org:8200 is sealed.", "Restart it."),
    failed_state="RestoreVaultSnapshot",
)


def test_an_alert_says_what_failed_and_what_to_do_now_and_where_to_look() -> None:
    message = failure_message(FAILED)
    assert message.subject == "[example] vault_restore failed: vault-sealed"
    assert (
        message.body
        == """\
vault_restore failed in the step RestoreVaultSnapshot.

What happened:  Vault at https://vault.example.org:8200 is sealed.
What to do now: Restart it.

On:             vault of example, region eu-central-1
Started:        2026-11-22T03:04:05Z by ada
Ended:          2026-11-22T03:09:41Z
Reason given:   Vault lost its disk
Error code:     vault-sealed
Execution:      https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1\
#/v2/executions/details/arn:aws:states:eu-central-1:111122223333:execution:mailark-vault-restore:op-1
"""
    )


def test_an_alert_says_another_way_out_where_there_is_one() -> None:
    failure = dataclasses.replace(FAILED.failure, or_else="Go back.")
    body = failure_message(dataclasses.replace(FAILED, failure=failure)).body
    assert "What to do now: Restart it.\nAnother way:    Go back.\n\nOn:  " in body


@pytest.mark.parametrize(
    ("status", "words"),
    [("FAILED", "failed"), ("TIMED_OUT", "ran out of time"), ("ABORTED", "was stopped")],
)
def test_an_alert_says_how_the_execution_ended(status: str, words: str) -> None:
    message = failure_message(dataclasses.replace(FAILED, status=status, failed_state=None))
    assert message.subject == f"[example] vault_restore {words}: vault-sealed"
    assert message.body.startswith(f"vault_restore {words}.\n")


texts = st.text(max_size=60)


@given(texts, texts, st.sampled_from(["FAILED", "TIMED_OUT", "ABORTED"]), texts)
def test_a_subject_is_at_most_100_printable_ascii_characters(
    estate: str, scenario: str, status: str, code: str
) -> None:
    failure = Failure(code, "It failed.", "Try again.")
    failed = dataclasses.replace(FAILED, estate=estate, scenario=scenario, status=status, failure=failure)
    subject = failure_message(failed).subject
    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()


def test_a_letter_that_a_subject_cannot_hold_becomes_a_question_mark() -> None:
    message = failure_message(dataclasses.replace(FAILED, estate="Zürich\n"))
    assert message.subject == "[Z?rich?] vault_restore failed: vault-sealed"


_TAMPERED = TamperedEvent(
    estate="example",
    region="eu-central-1",
    scope="tenant#1",
    sequence=7,
    deed="changed",
    bucket="mailark-audit-1-eu",
    archived="events/tenant%231/000000000007.json",
)


def test_the_alert_of_an_event_that_was_changed_says_where_the_original_lies_and_what_to_do_now() -> None:
    message = tampered_event_message(_TAMPERED)
    assert message.subject == "[example] audit trail: event 7 of tenant#1 was changed"
    assert (
        message.body
        == """\
In the audit trail, event 7 of tenant#1 was changed.

What happened:  Somebody wrote to the table mailark-audit-events past Mailark, which never changes an event.
What to do now: Treat it as an intrusion. Find in CloudTrail who wrote to that table at this time, and take the access
                away. The event as it was lies in the locked bucket mailark-audit-1-eu, at
                events/tenant%231/000000000007.json.
                Then start mailark-audit-verification; docs/operating.md, "The audit trail", says more.

On:             tenant#1 of example, region eu-central-1
"""
    )


def test_the_alert_of_a_forged_event_sends_nobody_to_an_original_that_is_not_there() -> None:
    body = tampered_event_message(dataclasses.replace(_TAMPERED, deed="forged", archived=None)).body
    assert (
        "                away. Mailark never wrote this event, and has not archived it.\n"
        "                Then start mailark-audit-verification;" in body
    )
    assert "lies" not in body


def test_the_subject_of_a_strange_chain_is_still_a_subject() -> None:
    message = tampered_event_message(dataclasses.replace(_TAMPERED, scope="ä\n" * 90))
    assert len(message.subject) == 100
    assert message.subject.startswith("[example] audit trail: event 7 of ????")
