"""`check_services_start`: services are not started on a server that a stopped recovery has left for the fresh one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from infra.scenario import definition
from lambdas.actions.check_services_start import SWAP
from lambdas.adapters.database_marks import mark
from lambdas.domain.database_errors import DatabaseNotInEstate, DatabaseUnreachable
from lambdas.domain.database_mark import Mark, Part
from lambdas.domain.operation import execution_name
from lambdas.domain.service_errors import ServicesBelongOnFresh
from tests.actions.database_house import DUMP, NIGHT, Databases, Event, change_database
from tests.actions.house import House, start_execution
from tests.infra.asl import Machine
from tests.servers.aws import answering, refused

LIVE = {"host": "localhost"}


def _check(house: House, stopped: str | None) -> Event:
    operation = house.operation("services_start", "op-2", NIGHT)
    checked: Event = house.run("check_services_start", {"operation": operation, "stopped": stopped})
    return checked


@pytest.fixture
def on_fresh(house: House, database: Databases) -> str:
    """A recovery onto the fresh server, for which the staging one stands; its execution."""
    assert house.database is not None
    change_database(house, fresh=house.database.staging)
    return start_execution("database_corruption", given={"reason": "the disk is dying", "on_fresh": True})


@contextmanager
def _history(*states: str, ends: bool = True) -> Iterator[list[Any]]:
    """Let Step Functions tell that the stopped execution has entered these states, and that it has ended."""
    events: list[dict[str, Any]] = [{"type": "ExecutionStarted"}]
    events += [{"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}} for state in states]
    events += [{"type": "ExecutionAborted"}] if ends else []
    numbered = [event | {"id": number, "timestamp": 1795312800 + number} for number, event in enumerate(events, 1)]
    with answering("GetExecutionHistory", {"events": numbered}) as asked:
        yield asked


def _break_fresh(house: House) -> None:
    """Nothing answers on the fresh server any more."""
    assert house.database is not None
    change_database(house, fresh=msgspec.structs.replace(house.database.staging, port=1))


def _swapped(database: Databases, operation: str, part: Part = "live") -> None:
    database.staging.create_database("smtpy")
    mark(database.login(database.staging), "smtpy", Mark(operation, DUMP, verified=True, part=part))


def test_the_state_that_is_looked_for_is_one_of_the_recovery() -> None:
    assert SWAP in Machine.read(definition("database_corruption")).states


@pytest.mark.parametrize("called", [execution_name, str])
def test_a_recovery_that_was_stopped_after_its_swap_on_the_fresh_server_leaves_them_standing(
    called: Callable[[str], str], house: House, database: Databases, on_fresh: str
) -> None:
    _swapped(database, called(on_fresh))
    for _ in range(2):
        with (
            _history("StopServices", SWAP),
            pytest.raises(ServicesBelongOnFresh, match="services-belong-on-fresh: The services were not started: "),
        ):
            _check(house, on_fresh)


def test_a_person_may_run_them_on_the_live_server_all_the_same(
    house: House, database: Databases, on_fresh: str
) -> None:
    _swapped(database, execution_name(on_fresh))
    with _history(SWAP):
        assert _check(house, None) == LIVE


def test_they_run_where_its_swap_was_begun_and_not_made(house: House, database: Databases, on_fresh: str) -> None:
    with _history("StopServices", SWAP):
        assert _check(house, on_fresh) == LIVE
        _swapped(database, execution_name(on_fresh), part="restored")
        assert _check(house, on_fresh) == LIVE


def test_what_an_earlier_drill_has_left_on_the_fresh_server_keeps_none_of_them(
    house: House, database: Databases, on_fresh: str
) -> None:
    _swapped(database, "a-drill")
    with _history(SWAP):
        assert _check(house, on_fresh) == LIVE


def test_after_a_recovery_in_place_the_fresh_server_is_not_even_asked(house: House, database: Databases) -> None:
    _break_fresh(house)
    stopped = start_execution("database_corruption", given={"reason": "damaged pages"})
    with _history(SWAP) as asked:
        assert _check(house, stopped) == LIVE
    assert asked == []


def test_a_recovery_that_was_stopped_before_its_swap_does_not_keep_them_waiting_for_a_broken_fresh_server(
    house: House, database: Databases, on_fresh: str
) -> None:
    _break_fresh(house)
    with _history("StopServices", "RestoreDatabase") as asked:
        assert _check(house, on_fresh) == LIVE
    assert [each["executionArn"] for each in asked] == [on_fresh]


def test_a_fresh_server_that_cannot_be_asked_after_the_swap_was_begun_is_told_and_nothing_is_started(
    house: House, database: Databases, on_fresh: str
) -> None:
    _break_fresh(house)
    with _history("StopServices", SWAP), pytest.raises(DatabaseUnreachable, match="database-unreachable"):
        _check(house, on_fresh)


def test_a_history_that_does_not_tell_the_end_yet_leaves_the_answer_to_the_fresh_server(
    house: House, database: Databases, on_fresh: str
) -> None:
    _swapped(database, execution_name(on_fresh))
    with _history("StopServices", ends=False), pytest.raises(ServicesBelongOnFresh):
        _check(house, on_fresh)


def test_a_history_that_cannot_be_read_leaves_the_answer_to_the_fresh_server(
    house: House, database: Databases, on_fresh: str
) -> None:
    with refused("GetExecutionHistory", "ThrottlingException"):
        assert _check(house, on_fresh) == LIVE
        _swapped(database, execution_name(on_fresh))
        with pytest.raises(ServicesBelongOnFresh):
            _check(house, on_fresh)


def test_an_estate_without_a_database_has_no_services(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _check(house, None)
