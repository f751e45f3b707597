"""What a sweep does about a tenant that is suspected: by its claim, and by the lease of the response."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.lease import LeaseRow
from lambdas.domain.suspect import ATTEMPTS, START_WITHIN, Step, Suspect, next_step, tenant_lease

TENANT = "550e8400-e29b-41d4-a716-446655440000"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RAISED = Suspect(
    tenant_id=TENANT,
    signal="sending",
    said="501 messages",
    state="raised",
    since=NOW,
    busy_until=NOW + MINUTE,
    attempts=1,
    raised_at=NOW,
)
RESPONSE = LeaseRow(
    target=tenant_lease(TENANT),
    owner="arn:aws:states:eu-central-1:123456789012:execution:mailark-credential-compromise:one",
    token=1,
    held=True,
    busy_until=NOW + MINUTE,
    since=NOW + MINUTE,
)
OVER = replace(RESPONSE, held=False)
BEFORE = replace(OVER, since=NOW - 9 * MINUTE, busy_until=NOW - 5 * MINUTE)
OTHER = replace(RESPONSE, owner=RESPONSE.owner.replace("compromise", "rotation"))
LATE = NOW + START_WITHIN


@pytest.mark.parametrize(
    ("suspect", "lease", "now", "step"),
    [
        (replace(RAISED, state="waiting"), None, NOW, "raise"),
        (replace(RAISED, state="raising"), None, NOW, "leave"),
        (replace(RAISED, state="raising"), None, NOW + MINUTE, "raise"),
        (RAISED, None, LATE - MINUTE, "leave"),
        (RAISED, None, LATE, "raise"),
        (RAISED, BEFORE, LATE, "raise"),
        (RAISED, RESPONSE, NOW + MINUTE, "note"),
        (replace(RAISED, answered=True), RESPONSE, LATE, "leave"),
        (RAISED, OVER, NOW + 2 * MINUTE, "end"),
        (replace(RAISED, answered=True), BEFORE, NOW + MINUTE, "end"),
        (RAISED, replace(BEFORE, busy_until=NOW + MINUTE), NOW + MINUTE, "end"),
        (RAISED, OTHER, NOW + MINUTE, "leave"),
        (RAISED, replace(OTHER, held=False), LATE, "raise"),
        (replace(RAISED, attempts=ATTEMPTS), None, LATE, "give up"),
        (replace(RAISED, attempts=ATTEMPTS), OVER, LATE, "end"),
    ],
    ids=[
        "a claim that waits is taken up at once",
        "a claim that somebody works on is left alone",
        "a claim whose function has died is taken up",
        "an alarm has time to be answered",
        "an alarm that nobody has answered is tripped again",
        "a response of before the alarm is no answer",
        "a response that has begun is remembered",
        "a response may take its time",
        "a response that has ended is the end of it",
        "a response that was seen once and is over is the end of it",
        "a response that was at work when the alarm came has joined it",
        "another operation on the tenant is no answer",
        "another operation that has ended is no answer either",
        "an alarm that nobody answers again and again is given over to a person",
        "a late answer is an answer",
    ],
)
def test_the_next_step_is(suspect: Suspect, lease: LeaseRow | None, now: datetime, step: Step) -> None:
    assert next_step(suspect, lease, now) == step
