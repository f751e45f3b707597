"""`find_lost_rows`: which tables have lost rows since the backup; nothing is changed."""

from datetime import UTC, datetime, timedelta

from tests.actions.database_house import Databases
from tests.actions.deleted_rows import DELETED_AT, FROM, TABLES, delete_customer
from tests.actions.house import House, SavedBackup, execution_arn


def test_the_tables_that_lost_rows_are_told_with_how_many_and_nothing_is_changed(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    now = database.contents()
    found = [house.run("find_lost_rows", deleted.lost_since) for _ in range(2)]
    assert found[0]["lost"] == found[1]["lost"]
    lost = {each["table"]: each["missing"] for each in found[0]["lost"]}
    assert lost["public.organizations"] == 1
    assert {f"public.{table}" for table in TABLES} <= set(lost)
    for table in TABLES:
        assert lost[f"public.{table}"] == deleted.before[table][0] - now[table][0]
    assert database.contents() == now


def test_what_postgresql_has_counted_of_deletions_is_told(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    found = house.run("find_lost_rows", deleted.lost_since)
    assert {"table", "deleted", "rows", "since"} == set(found["deletions"][0])
    assert all(set(session) >= {"pid", "user", "verb"} for session in found["sessions"])


def test_tables_whose_rows_are_others_without_one_being_gone_are_told_apart(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    """Security events outlive a customer, and lose their reference."""
    deleted = delete_customer(house, database, dumped)
    found = house.run("find_lost_rows", deleted.lost_since)
    assert found["changed"] == ["public.security_events"]
    assert "public.security_events" not in {each["table"] for each in found["lost"]}


def test_what_the_audit_trail_has_of_the_database_since_the_backup_is_told(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    event = deleted.lost_since
    assert house.run("find_lost_rows", event)["deeds"] == []
    house.operations().begin(house.operation("audit_verification", "op-of-the-night"))
    house.run(
        "fail_operation",
        {
            "scenario": "audit_verification",
            "execution": execution_arn("audit_verification", "op-of-the-night"),
            "failed_state": "VerifyAuditTrail",
            "error": "Sandbox.Timedout",
            "cause": "",
        },
    )
    (deed,) = house.run("find_lost_rows", event)["deeds"]
    assert (deed["event"], deed["operation_id"]) == ("audit_verification_failed", "op-of-the-night")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert house.run("find_lost_rows", event | {"data_from": tomorrow})["deeds"] == []


def test_which_rows_the_backup_cannot_have_is_told_by_the_clock(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    assert house.run("find_lost_rows", deleted.lost_since)["not_in_backup"] == (
        f"The backup holds the state of {FROM}, 6 h 15 min before the deletion at {DELETED_AT}: rows written or "
        "changed in these 6 h 15 min cannot be in it as they were."
    )
