"""The preview of a recovery of rows, word for word, as somebody reads it who has to approve it."""

from datetime import UTC, datetime

from lambdas.domain.recovery_plan import Conflict, RecoveryPlan, TablePlan
from lambdas.domain.recovery_text import in_short, not_in_backup, preview_text

FROM = "2026-11-22T03:00:00+00:00"
DELETED_AT = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
ORGANIZATIONS = TablePlan(
    "public.organizations", 1, sample=[{"id": "7", "name": "Ann\u2019s", "stripe_customer_id": None}]
)
USERS = TablePlan("public.users", 3, parents=1, left_out=2, sample=[{"id": "9", "password_hash": "(hidden)"}])
TAKEN = Conflict("public.users", {"id": "11"}, "taken", "users_email_key", ["email"], {"id": "40"})


def _plan(**more: object) -> RecoveryPlan:
    given: dict[str, object] = {
        "tables": [ORGANIZATIONS, USERS],
        "conflicts": [],
        "conflict_count": 0,
        "on_conflict": "stop",
        "digest": "ab",
    }
    return RecoveryPlan(**(given | more))  # type: ignore[arg-type]  # each as the class has it


def _text(plan: RecoveryPlan) -> str:
    return preview_text(plan, "smtpy", "smtpy_20261122_030000.sql.gz", FROM, DELETED_AT)


def test_the_preview_says_where_rows_come_from_how_many_they_are_and_what_they_look_like() -> None:
    assert _text(_plan()) == (
        "Rows of smtpy_20261122_030000.sql.gz that are to be brought back into smtpy.\n\n"
        "The backup holds the state of 2026-11-22T03:00:00+00:00, 6 h 15 min before the deletion at "
        "2026-11-22T09:15:00+00:00: rows written or changed in these 6 h 15 min cannot be in it as they were.\n\n"
        "4 rows in 2 tables would be inserted, parents first; no live row is changed.\n\n"
        "public.organizations: 1 rows\n"
        "  id=7, name=Ann\u2019s, stripe_customer_id=null\n\n"
        "public.users: 3 rows, of which 1 are there because others refer to them; 2 more are left out\n"
        "  id=9, password_hash=(hidden)\n"
    )


def test_conflicts_are_counted_and_said_to_stop_the_import_or_to_be_left_out() -> None:
    stopping = _text(_plan(conflicts=[TAKEN], conflict_count=2))
    assert "\n\n2 rows are in conflict, and stop the import (all in conflicts.csv):\n" in stopping
    assert "  public.users id 11 (taken: users_email_key)\n" in stopping
    skipping = _text(_plan(conflicts=[TAKEN], conflict_count=2, on_conflict="skip"))
    assert "2 rows are in conflict, and are left out (all in conflicts.csv):" in skipping


def test_what_is_not_touched_is_told() -> None:
    left = {"unlinked": {"public.activity_logs (user_id)": 12}, "only_in_backup": ["public.old"]}
    text = _text(_plan(**left, changed={"public.users": 3}))
    assert "\n\nLive rows in scope or referred to, changed since the backup, not touched:\n  public.users: 3\n" in text
    assert "Live rows that referred to these rows, and stay without:\n  public.activity_logs (user_id): 12\n" in text
    assert text.endswith("Tables that only the backup has, left alone: public.old\n")


def test_what_is_asked_for_fits_into_a_line() -> None:
    empty = TablePlan("public.events", 0)
    assert in_short([ORGANIZATIONS, USERS, empty]) == "public.organizations 1, public.users 3"


def test_a_backup_from_after_the_deletion_is_said_to_be_that() -> None:
    assert not_in_backup("2026-11-22T10:00:30+01:00", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)) == (
        "The backup holds the state of 2026-11-22T09:00:30+00:00, 30 min 30 s after the deletion at "
        "2026-11-22T08:30:00+00:00: rows that were deleted before it was made cannot be in it."
    )
