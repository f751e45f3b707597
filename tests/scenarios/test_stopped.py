"""An execution that is stopped from outside runs no further step: what it left another one clears up, by itself."""

from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from lab.forwarding_service import DATABASE
from lab.postgres import PostgresServer
from tests.scenarios.house import House

_STOPPED = {"error": "Stopped", "cause": "by a test"}


def _stop(house: House, arn: str, follower: str) -> str:
    """Stop an execution; the one that follows it by itself."""
    with house.starting(follower) as started:
        house.lab.client("stepfunctions").stop_execution(executionArn=arn, **_STOPPED)
    assert house.alert_of(arn, saying=f"Start {follower}").subject.endswith(" was stopped: operation-stopped")
    return started[0]


def _databases(server: PostgresServer) -> set[str]:
    return {name for (name,) in server.query("select datname from pg_database")}


def _assert_cleared_up(house: House, arn: str, completed: str) -> None:
    finished = house.follow(arn)
    assert finished.status == "SUCCEEDED", finished.cause
    assert house.audit_events(arn) == ["operation_started", completed]
    assert house.operation(arn)["user_id"] == "system"
    for server in (house.lab.database.server, house.lab.database.staging):
        assert {name for name in _databases(server) if name.startswith("mailark_")} == set()
    for target in ("database", "database-staging"):
        assert house.lease_is_free(target)


def test_services_that_a_stopped_recovery_left_standing_run_again_and_are_proved(house: House, dump_id: str) -> None:
    """Its function outlives it, and restores a database that nobody waits for any more."""
    before = house.database_fingerprint()
    given = {"reason": "it will be stopped", "even_if_sound": True, "backup_id": dump_id}
    arn = house.start("database_corruption", given)
    house.wait_for_state(arn, "RestoreDatabase")
    assert set(house.services().values()) == {"stopped"}

    following = _stop(house, arn, "services_start")

    _assert_cleared_up(house, following, "services_started")
    details = house.follow(following).output["details"]
    assert set(details["services"].values()) == {"running"} == set(house.services().values())
    services = house.lab.database.services
    assert details["healthy"] == [*services.health_urls, services.smtp_url]
    assert house.healthy()
    assert house.database_fingerprint() == before


def test_rows_that_a_stopped_restore_test_left_are_dropped(house: House, dump_id: str) -> None:
    arn = house.start("database_restore_test", {"reason": "it will be stopped", "backup_id": dump_id})
    house.wait_for_state(arn, "VerifyDatabase")
    assert "mailark_test_smtpy" in _databases(house.lab.database.staging)

    _assert_cleared_up(house, _stop(house, arn, "database_staging_emptying"), "database_staging_emptied")


def test_rows_that_a_recovery_left_which_was_stopped_before_it_was_approved_are_dropped(
    house: House, dump_id: str
) -> None:
    """The services are not its business: nobody stopped them."""
    gone = "delete from activity_logs t where id = (select min(id) from activity_logs) returning to_jsonb(t)"
    ((row,),) = house.lab.database.server.query(gone, DATABASE)
    given = {
        "reason": "it will be stopped",
        "deleted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scope": [{"table": "activity_logs"}],
        "backup_id": dump_id,
    }
    arn = house.start("data_deletion", given)
    house.wait_for_state(arn, "AskForApproval", 90)
    assert "mailark_before_smtpy" in _databases(house.lab.database.staging)

    following = _stop(house, arn, "row_recovery_emptying")

    _assert_cleared_up(house, following, "row_recovery_emptied")
    assert set(house.services().values()) == {"running"}
    back = "select * from jsonb_populate_record(null::activity_logs, %s)"
    insert = f"insert into activity_logs overriding system value {back}"
    house.lab.database.server.query(insert, DATABASE, [Jsonb(row)])


def test_where_nothing_was_left_it_says_that_all_is_well(house: House, dump_id: str) -> None:
    assert dump_id
    for scenario in ("database_staging_emptying", "row_recovery_emptying", "services_start"):
        finished = house.run_well(scenario, {"reason": "to be sure"})
        assert set(house.services().values()) == {"running"}
        assert finished.output["details"]["dropped"].startswith("mailark_")
