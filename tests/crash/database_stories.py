"""The stories of the database: real damage, and what must be true of live and staging server when all has ended."""

from datetime import UTC, datetime, timedelta

from lab.forwarding_service import DATABASE
from lambdas.domain.throwaway import throwaway_name
from tests.crash.story import Contents, Story
from tests.crash.world import World
from tests.servers.aws import PRIMARY, STANDBY


def _begins(world: World, _: Contents) -> None:
    world.backups_before.add(world.database.begin(world.house))


def _is_dumped(world: World, _: Contents) -> None:
    """The night has a good dump in both regions, and nobody has noticed."""
    new = {row.id for row in world.new_backups(PRIMARY, "daily", "intact") if row.copy == "intact"}
    assert new
    assert new <= {row.id for row in world.new_backups(STANDBY, "daily", "intact")}
    _is_untouched(world)


def _is_proven(world: World, _: Contents) -> None:
    """The dump is proven, nothing of it stays on the staging server, and the live one was not touched."""
    assert world.house.catalog().get(world.database.saved.id).proof == "proven"
    _is_untouched(world)


def _is_untouched(world: World) -> None:
    database = world.database
    assert database.databases.names(database.databases.staging) == set()
    assert database.databases.names() == {DATABASE}
    assert database.databases.contents() == database.contents
    assert database.serves()


def _gets_damaged(world: World, _: Contents) -> None:
    """Once more where a restored database is live already: a sound one is not restored."""
    _served(world)
    if world.database.oid() not in world.database.damaged:
        world.database.damage()


def _is_restored(world: World, _: Contents) -> None:
    """The live database holds what the dump holds, each damaged one is kept once, and the services use the former."""
    database = world.database
    assert database.databases.contents() == database.contents
    assert database.kept("corrupt") == database.damaged
    assert len(database.databases.names()) == 1 + len(database.damaged)
    assert database.databases.names(database.databases.staging) == set()
    assert world.house.catalog().get(database.saved.id).proof == "proven"
    saved = world.new_backups(PRIMARY, "pre-restore", "intact")
    assert world.executions[-1].id in {row.operation_id for row in saved}
    assert database.serves()


def _gets_swapped(world: World, _: Contents) -> None:
    """Once more where the old database is live again: there is nothing to undo then."""
    _served(world)
    if world.database.oid() not in world.database.swapped_in:
        world.database.swap(len(world.executions))


def _is_undone(world: World, _: Contents) -> None:
    """The old database is live again, each that was swapped in is kept once, and the services use the former."""
    database = world.database
    assert {database.oid()} == set(database.replaced)
    assert database.kept("undone") == database.swapped_in
    assert len(database.databases.names()) == 1 + len(database.swapped_in)
    assert database.databases.contents() == database.contents
    assert database.serves()


def _served(world: World) -> None:
    """Whatever died: the services run again, unless that died which starts them then; these, somebody starts."""
    if any("StartServicesAfterFailure" in each.died for each in world.executions[-1:]):
        world.database.serve()
    assert world.database.serves(), world.executions[-1:]


def _was_stopped(world: World, _: Contents) -> None:
    """A recovery was stopped between the stop of the services and the swap."""
    database = world.database
    if not _is_done(world, "services_start"):
        database.stop_services()
        database.leave(database.live, throwaway_name("restored", DATABASE))


def _test_was_stopped(world: World, _: Contents) -> None:
    if not _is_done(world, "database_staging_emptying"):
        world.database.leave(world.database.databases.staging, throwaway_name("test", DATABASE))


def _row_recovery_was_stopped(world: World, _: Contents) -> None:
    if not _is_done(world, "row_recovery_emptying"):
        world.database.leave(world.database.databases.staging, throwaway_name("before", DATABASE))


def _is_done(world: World, scenario: str) -> bool:
    """Whether an operation has ended well: a run that is done is not done twice."""
    return any((row["scenario"], row["status"]) == (scenario, "succeeded") for row in world.operations())


def _is_cleared_up(world: World, _: Contents) -> None:
    """The services run, and nothing stays beside what lives."""
    _is_untouched(world)


_OUTLIVING = {"activity_logs", "security_events"}
"""Live rows whose reference the deletion has emptied: what is live is never changed."""
_CUSTOMER = 1


def _given(world: World) -> dict[str, object]:
    """What somebody says who misses a customer."""
    scope = [{"table": "organizations", "where": f"id = {_CUSTOMER}"}]
    after = datetime.now(UTC) + timedelta(seconds=1)  # the dump was finished just now, in whole seconds
    return {"deleted_at": after.isoformat(), "scope": scope}


def _loses_a_customer(world: World, _: Contents) -> None:
    """Once more where an execution that died had brought the customer back."""
    world.database.live.query("delete from organizations where id = %s", DATABASE, [_CUSTOMER])


def _has_the_customer(world: World, _: Contents) -> None:
    """Every row is back, once, and nothing of the backup stays on the staging server."""
    database = world.database
    now, before = database.databases.contents(), database.contents
    assert {name: now[name] for name in now.keys() - _OUTLIVING} == {
        name: before[name] for name in before.keys() - _OUTLIVING
    }
    assert database.databases.names(database.databases.staging) == set()
    assert database.serves()


DATABASE_STORIES = (
    Story("database_backup", _begins, _is_dumped),
    Story("database_restore_test", _begins, _is_proven),
    Story("database_corruption", _begins, _is_restored, again=_gets_damaged),
    Story("database_swap_undo", _begins, _is_undone, again=_gets_swapped),
    Story("services_start", _begins, _is_cleared_up, again=_was_stopped),
    Story("database_staging_emptying", _begins, _is_cleared_up, again=_test_was_stopped),
    Story("row_recovery_emptying", _begins, _is_cleared_up, again=_row_recovery_was_stopped),
    Story(
        "data_deletion",
        _begins,
        _has_the_customer,
        again=_loses_a_customer,
        given=_given,
        apart=frozenset({"FindLostRows", "ExportRows"}),
    ),
)
