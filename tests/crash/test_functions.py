"""A function runs in a process of its own, and dies where it was told to."""

from typing import Any

import msgspec
import pytest

from tests.actions.database_house import TEST
from tests.actions.house import start_execution
from tests.crash.calls import Call, Kill, Moment
from tests.crash.databases import CrashDatabase
from tests.crash.deaths import WorldMaker
from tests.crash.functions import FunctionFailed
from tests.crash.world import World
from tests.servers.aws import PRIMARY

LEASE_TAKEN = Call("BeginOperation", f"DynamoDB.PutItem mailark-leases {PRIMARY}", 1)


def _begin(world: World, kill: Kill | None = None, **given: object) -> Any:
    execution = start_execution("vault_backup")
    payload = {"scenario": "vault_backup", "execution": execution, "started_at": "2026-11-22T02:00:00Z", "input": given}
    return world.run("BeginOperation", "begin_operation", payload, kill)


@pytest.mark.parametrize(("moment", "leases"), [("before", 0), ("after", 1)])
def test_one_that_dies_before_a_call_has_not_made_it_and_one_that_dies_after_it_has(
    moment: Moment, leases: int, new_world: WorldMaker
) -> None:
    with new_world() as world:
        with pytest.raises(FunctionFailed, match=r"Runtime\.ExitError"):
            _begin(world, Kill(LEASE_TAKEN, moment))
        assert len(world.leases()) == leases
        assert world.operations() == []


def test_its_calls_are_told_when_it_has_come_to_its_end(new_world: WorldMaker) -> None:
    with new_world() as world:
        _begin(world)
        calls = world.take_calls()
    assert LEASE_TAKEN in calls
    assert len(set(calls)) == len(calls)


def test_what_it_raises_is_told_as_lambda_tells_it(new_world: WorldMaker) -> None:
    with new_world() as world, pytest.raises(FunctionFailed, match="InputInvalid: input-invalid: "):
        _begin(world, reason=1)


def test_one_that_does_not_come_to_its_death_ends_as_ever(new_world: WorldMaker) -> None:
    with new_world() as world:
        assert (
            _begin(world, Kill(Call("BeginOperation", "DynamoDB.DropTable", 1), "before"))["operation"]["id"] == "op-1"
        )
        assert world.functions.died == []


def test_one_that_dies_while_it_dumps_leaves_neither_a_program_nor_a_session_behind(new_world: WorldMaker) -> None:
    with new_world() as world:
        database = _has_a_database(world)
        kill = Kill(Call("DumpDatabase", "pg_dump's output", 1), "after")
        with pytest.raises(FunctionFailed, match=r"Runtime\.ExitError"):
            world.run("DumpDatabase", "dump_database", _given(world, "database_backup"), kill)
        database.wait_until_alone()


def test_one_that_dies_while_it_loads_has_loaded_nothing(new_world: WorldMaker) -> None:
    with new_world() as world:
        database = _has_a_database(world)
        given = _given(world, "database_restore_test", backup_id=database.saved.id, purpose="test")
        kill = Kill(Call("RestoreDatabase", "psql's COMMIT;", 1), "before")
        with pytest.raises(FunctionFailed, match=r"Runtime\.ExitError"):
            world.run("RestoreDatabase", "restore_database", given, kill)
        assert database.databases.contents(TEST, database.databases.staging) == {}


def _has_a_database(world: World) -> CrashDatabase:
    world.database.begin(world.house)
    return world.database


def _given(world: World, scenario: str, **others: object) -> Any:
    return {"operation": msgspec.to_builtins(world.house.operation(scenario)), **others}
