"""`import_rows`: exactly what was approved, once, and nothing that was not."""

from typing import Any

import pytest

from lab.forwarding_service import DATABASE
from lambdas.adapters.database_marks import set_comment
from lambdas.domain.database_mark import Mark, marked
from lambdas.domain.errors import LeaseLost
from lambdas.domain.recovery_errors import RecoveryNotApproved, RecoveryPlanChanged, RecoverySourceForeign
from lambdas.domain.throwaway import throwaway_name
from tests.actions.database_house import DUMP, Databases
from tests.actions.deleted_rows import Deleted, delete_customer
from tests.actions.house import House, SavedBackup

_LINKED = {"security_events", "activity_logs"}
"""Live rows whose reference the deletion has emptied: what is live is never changed."""


def _event(deleted: Deleted, digest: str, outcome: str = "approved", **more: object) -> dict[str, Any]:
    approval = {"approval_id": "apr-1", "outcome": outcome, "decided_by": "dave"}
    event = {"operation": deleted.operation, "scope": deleted.scope, "digest": digest, "approval": approval}
    return event | {"on_conflict": "stop"} | more


def test_what_was_approved_is_imported_and_a_second_run_finds_it_done(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    planned = deleted.plan(house)
    first = house.run("import_rows", _event(deleted, planned["digest"]))
    assert first["rows"]["public.organizations"] == 1
    assert sum(first["rows"].values()) == planned["rows"]
    now = database.contents()
    assert {name: now[name] for name in now.keys() - _LINKED} == {
        name: deleted.before[name] for name in deleted.before.keys() - _LINKED
    }
    assert house.run("import_rows", _event(deleted, planned["digest"])) == {"rows": {}, "left_out": 0}
    assert database.contents() == now


@pytest.mark.parametrize("outcome", ["refused", "expired", "anything else"])
def test_without_an_approval_nothing_is_imported(
    house: House, database: Databases, dumped: SavedBackup, outcome: str
) -> None:
    deleted = delete_customer(house, database, dumped)
    digest, now = deleted.plan(house)["digest"], database.contents()
    with pytest.raises(RecoveryNotApproved, match=f"ended {outcome}, decided by dave"):
        house.run("import_rows", _event(deleted, digest, outcome))
    assert database.contents() == now


def test_another_plan_than_the_approved_one_is_not_imported(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    digest = deleted.plan(house)["digest"]
    database.live.query("delete from organizations where id = (select min(id) from organizations)", DATABASE)
    now = database.contents()
    with pytest.raises(RecoveryPlanChanged):
        house.run("import_rows", _event(deleted, digest, scope=[{"table": "organizations"}]))
    assert database.contents() == now


def test_what_was_to_be_left_out_and_nothing_else_may_still_be_missing_in_a_second_run(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    database.live.query(
        "insert into organizations (id, name, billing_email) values (%s, 'Another', 'another@example.org')",
        DATABASE,
        [deleted.customer + 70_000],
    )
    email = database.staging.query(
        "select email from users where organization_id = %s order by id limit 1",
        throwaway_name("before", DATABASE),
        [deleted.customer],
    )[0][0]
    database.live.query(
        "insert into users (organization_id, email, password_hash) values (%s, %s, 'x')",
        DATABASE,
        [deleted.customer + 70_000, email],
    )
    planned = deleted.plan(house, on_conflict="skip")
    assert planned["conflict_count"] > 0
    event = _event(deleted, planned["digest"], on_conflict="skip", left_out=planned["conflict_count"])
    assert house.run("import_rows", event)["left_out"] == planned["conflict_count"]
    assert house.run("import_rows", event)["rows"] == {}
    with pytest.raises(RecoveryPlanChanged):
        house.run("import_rows", event | {"left_out": 0})


@pytest.mark.parametrize("mark", [None, Mark("op-1", DUMP), Mark("another", DUMP, verified=True)])
def test_rows_come_from_nothing_but_what_this_operation_has_proved(
    house: House, database: Databases, dumped: SavedBackup, mark: Mark | None
) -> None:
    deleted = delete_customer(house, database, dumped)
    digest, now = deleted.plan(house)["digest"], database.contents()
    name = throwaway_name("before", DATABASE)
    with database.staging.connect() as connection:
        set_comment(connection, name, marked(None, mark))
    scope = {"operation": deleted.operation, "scope": deleted.scope}
    for run in (
        lambda: deleted.plan(house),
        lambda: house.run("import_rows", _event(deleted, digest)),
        lambda: house.run("export_rows", scope),
        lambda: house.run("find_lost_rows", deleted.lost_since),
    ):
        with pytest.raises(RecoverySourceForeign, match=f"{name} at localhost is not the backup"):
            run()
    assert database.contents() == now


def test_an_operation_that_has_lost_the_database_imports_nothing(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    digest, now = deleted.plan(house)["digest"], database.contents()
    house.take_over(deleted.operation)
    with pytest.raises(LeaseLost):
        house.run("import_rows", _event(deleted, digest))
    assert database.contents() == now
