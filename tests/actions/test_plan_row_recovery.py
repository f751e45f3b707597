"""`plan_row_recovery`: exactly which rows would come back, as a person reads it; nothing is changed."""

import csv
import io

import pytest

from lab.forwarding_service import DATABASE
from lambdas.domain.recovery_errors import (
    NoRowRecoverable,
    RecoveryConditionInvalid,
    RecoveryTableUnknown,
    RowsInConflict,
)
from tests.actions.database_house import DUMP, Databases
from tests.actions.deleted_rows import DELETED_AT, FROM, delete_customer, work_text
from tests.actions.house import House, SavedBackup


def test_the_same_plan_comes_each_time_and_its_preview_shows_no_message(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    now = database.contents()
    first, second = deleted.plan(house), deleted.plan(house)
    assert first == second
    assert (first["missing"], first["conflict_count"], first["note"]) == (True, 0, None)
    assert first["tables"].startswith("public.organizations 1, ")
    assert first["on"] == f"the database {DATABASE} at localhost"
    preview = work_text(house, first["preview"])
    assert preview.startswith(f"Rows of {DUMP} that are to be brought back into {DATABASE}.\n")
    assert f"The backup holds the state of {FROM}, 6 h 15 min before the deletion at {DELETED_AT}: rows" in preview
    assert f"public.organizations: 1 rows\n  id={deleted.customer}, " in preview
    assert "body=(hidden)" in preview
    assert database.contents() == now


def test_where_every_row_is_live_nothing_is_missing(house: House, database: Databases, dumped: SavedBackup) -> None:
    deleted = delete_customer(house, database, dumped)
    planned = deleted.plan(house, scope=[{"table": "alembic_version"}])
    assert (planned["missing"], planned["rows"], planned["tables"]) == (False, 0, "")
    nothing = f"Nothing was brought back: {DUMP} has no row of the scope that is missing in the live database."
    assert planned["note"] == nothing


def test_a_row_that_cannot_come_back_is_listed_and_stops_the_plan(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    staging = database.staging
    name = staging.query(
        "select name from domains where organization_id = %s", "mailark_before_smtpy", [deleted.customer]
    )
    made = "insert into organizations (name, billing_email) values ('taker', 'x@taker.example') returning id"
    taker = database.live.query(made, DATABASE)[0][0]
    database.live.query("insert into domains (organization_id, name) values (%s, %s)", DATABASE, [taker, name[0][0]])

    with pytest.raises(RowsInConflict) as caught:
        deleted.plan(house)
    listed = str(caught.value).partition("all are listed in ")[2].partition(".\n")[0]
    rows = list(csv.DictReader(io.StringIO(work_text(house, listed))))
    assert rows[0]["table"] == "public.domains"

    assert "first public.domains (taken: domains_name_key); all" in str(caught.value)  # and not which

    skipping = deleted.plan(house, on_conflict="skip")
    assert skipping["conflict_count"] >= 1
    assert "are left out" in work_text(house, skipping["preview"])


def test_a_plan_that_could_bring_nothing_back_is_a_failure_and_never_a_green_nothing(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    name = database.staging.query(
        "select name from domains where organization_id = %s limit 1", "mailark_before_smtpy", [deleted.customer]
    )[0][0]
    again = "insert into organizations (id, name, billing_email) overriding system value values (%s, 'again', 'y@z')"
    database.live.query(again, DATABASE, [deleted.customer])
    database.live.query(
        "insert into domains (organization_id, name) values (%s, %s)", DATABASE, [deleted.customer, name]
    )
    alone = [{"table": "domains", "where": f"name = '{name}'"}]
    with pytest.raises(NoRowRecoverable):
        deleted.plan(house, scope=alone, on_conflict="skip")


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        ([{"table": "organisations"}], RecoveryTableUnknown),
        ([{"table": "organizations", "where": "id = 1); drop table users; --"}], RecoveryConditionInvalid),
    ],
)
def test_a_scope_that_cannot_be_is_refused(
    house: House, database: Databases, dumped: SavedBackup, scope: object, error: type[Exception]
) -> None:
    deleted = delete_customer(house, database, dumped)
    with pytest.raises(error):
        deleted.plan(house, scope=scope)
