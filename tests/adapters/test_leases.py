"""Leases: who may change a target, taken and given back by conditional writes that race."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.leases import Leases
from lambdas.adapters.tables import from_item, to_item
from lambdas.domain.errors import LeaseLost, TargetBusy, TargetSettling
from lambdas.domain.operation import Lease, Operation
from tests.servers.aws import PRIMARY, answer_lost, aws, refused
from tests.servers.tables import make_tables

TABLE = "mailark-leases"
TARGET = "vault"
ARN = "arn:aws:states:eu-central-1:123456789012:execution:mailark-vault-restore:"
FIRST, SECOND, THIRD = f"{ARN}first", f"{ARN}second", f"{ARN}third"

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def leases() -> Leases:
    make_tables()
    return Leases(PRIMARY, TABLE)


def _runs(_: str) -> bool:
    return True


def _has_ended(_: str) -> bool:
    return False


def _operation(lease: Lease, execution: str) -> Operation:
    return Operation(
        id=execution.rpartition(":")[2],
        scenario="vault_restore",
        execution=execution,
        mode="recover",
        started_at="2026-11-22T02:00:00+00:00",
        lease=lease,
        reason="a test",
        user_id="somebody",
    )


def _row() -> dict[str, Any]:
    answer = aws("dynamodb").get_item(TableName=TABLE, Key=to_item({"target": TARGET}))
    return from_item(answer["Item"])


def _busy_until() -> datetime:
    return datetime.fromisoformat(_row()["busy_until"])


# --- taking and giving back -------------------------------------------------------------------------------


def test_a_free_target_is_taken_with_the_first_token(leases: Leases) -> None:
    assert leases.take(TARGET, FIRST, _runs) == Lease(TARGET, 1)


def test_taking_again_finds_what_is_already_held(leases: Leases) -> None:
    assert [leases.take(TARGET, FIRST, _runs) for _ in range(3)] == [Lease(TARGET, 1)] * 3


def test_a_held_target_is_busy_and_its_holder_is_named(leases: Leases) -> None:
    leases.take(TARGET, FIRST, _runs)
    with pytest.raises(TargetBusy) as failure:
        leases.take(TARGET, SECOND, _runs)
    assert "vault is being changed by first, which started at 20" in str(failure.value)
    assert FIRST in str(failure.value)
    assert _row()["owner"] == FIRST


def test_two_targets_do_not_block_each_other(leases: Leases) -> None:
    leases.take(TARGET, FIRST, _runs)
    assert leases.take("backup#vault", SECOND, _runs) == Lease("backup#vault", 1)


def test_a_released_target_is_taken_by_another_with_a_higher_token(leases: Leases) -> None:
    leases.take(TARGET, FIRST, _runs)
    leases.release(TARGET, FIRST)
    assert leases.take(TARGET, SECOND, _runs) == Lease(TARGET, 2)


def test_a_released_target_is_taken_again_by_the_same_execution_with_a_higher_token(leases: Leases) -> None:
    leases.take(TARGET, FIRST, _runs)
    leases.release(TARGET, FIRST)
    assert leases.take(TARGET, FIRST, _runs) == Lease(TARGET, 2)


def test_releasing_is_done_once_and_only_by_the_holder(leases: Leases) -> None:
    leases.release(TARGET, FIRST)
    leases.take(TARGET, FIRST, _runs)
    leases.release(TARGET, SECOND)
    with pytest.raises(TargetBusy):
        leases.take(TARGET, SECOND, _runs)
    for _ in range(2):
        leases.release(TARGET, FIRST)
    leases.take(TARGET, SECOND, _runs)
    leases.release(TARGET, FIRST)
    assert _row()["held"]


# --- taking over ------------------------------------------------------------------------------------------


def test_the_lease_of_a_dead_owner_is_taken_over_with_a_higher_token(leases: Leases) -> None:
    leases.take(TARGET, FIRST, _runs)
    asked: list[str] = []

    def has_ended(execution: str) -> bool:
        asked.append(execution)
        return False

    assert leases.take(TARGET, SECOND, has_ended) == Lease(TARGET, 2)
    assert asked == [FIRST]


def test_a_late_function_of_the_old_owner_is_stopped_before_it_changes_anything(leases: Leases) -> None:
    old = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    leases.take(TARGET, SECOND, _has_ended)
    changed = []
    with pytest.raises(LeaseLost, match="vault: second has taken it over"), leases.guard(old, 60):
        changed.append(TARGET)
    assert changed == []
    assert _row()["owner"] == SECOND


def test_a_function_with_the_token_of_an_earlier_lease_of_its_own_execution_is_stopped(leases: Leases) -> None:
    old = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    leases.release(TARGET, FIRST)
    leases.take(TARGET, FIRST, _runs)
    with pytest.raises(LeaseLost), leases.guard(old, 60):
        pytest.fail("it changed the target")


def test_a_function_without_any_lease_is_stopped(leases: Leases) -> None:
    with pytest.raises(LeaseLost, match="nobody has taken it over"):
        leases.guard(_operation(Lease(TARGET, 1), FIRST), 60).__enter__()


def test_a_dead_owners_function_is_waited_for(leases: Leases) -> None:
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    with leases.guard(operation, 60):
        until = _busy_until()
        assert timedelta(seconds=55) < until - datetime.now(UTC) <= timedelta(seconds=60)
        with pytest.raises(TargetSettling) as failure:
            leases.take(TARGET, SECOND, _has_ended)
        assert (
            f"A function that first started may still be changing vault, until {_row()['busy_until']} at the latest."
            in (str(failure.value))
        )
    assert _busy_until() <= datetime.now(UTC)
    assert leases.take(TARGET, SECOND, _has_ended) == Lease(TARGET, 2)


def test_a_released_target_is_not_taken_while_a_function_may_still_be_at_work(leases: Leases) -> None:
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    guard = leases.guard(operation, 60)
    guard.__enter__()
    leases.release(TARGET, FIRST)
    with pytest.raises(TargetSettling):
        leases.take(TARGET, SECOND, _has_ended)
    guard.__exit__(None, None, None)
    assert leases.take(TARGET, SECOND, _has_ended) == Lease(TARGET, 2)


def test_a_second_function_of_one_operation_does_not_change_the_target_beside_the_first(leases: Leases) -> None:
    """Step Functions starts another one when it has lost the answer of the first."""
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    changed = []
    with leases.guard(operation, 60):
        with pytest.raises(TargetSettling, match="A function that first started"), leases.guard(operation, 60):
            changed.append(TARGET)
        with pytest.raises(TargetSettling):
            leases.take(TARGET, SECOND, _has_ended)
    assert changed == []
    with leases.guard(operation, 60):
        changed.append(TARGET)


def test_a_target_that_somebody_holds_is_refused_to_who_only_asks(leases: Leases) -> None:
    leases.refuse_while_held(TARGET)
    leases.take(TARGET, FIRST, _runs)
    with pytest.raises(TargetBusy, match="vault is being changed by first"):
        leases.refuse_while_held(TARGET)
    leases.release(TARGET, FIRST)
    leases.refuse_while_held(TARGET)


def test_a_guard_whose_own_answer_was_lost_is_not_taken_for_another_function(leases: Leases) -> None:
    """Else a restore would wait for itself, until the time limit of its function is over."""
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    with answer_lost("UpdateItem"), leases.guard(operation, 60):
        assert _busy_until() > datetime.now(UTC)
    assert _busy_until() <= datetime.now(UTC)


def test_a_guard_whose_time_is_over_no_longer_holds_others_up(leases: Leases) -> None:
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    with pytest.raises(LeaseLost), leases.guard(operation, -1):
        assert leases.take(TARGET, SECOND, _has_ended) == Lease(TARGET, 2)


def test_a_guard_is_lifted_when_the_block_fails_and_the_failure_is_passed_on(leases: Leases) -> None:
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    with pytest.raises(InterruptedError), leases.guard(operation, 60):
        raise InterruptedError
    assert _busy_until() <= datetime.now(UTC)


def test_the_failure_of_the_block_is_told_even_when_the_guard_cannot_be_lifted(leases: Leases) -> None:
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    guard = leases.guard(operation, 60)
    guard.__enter__()
    failure = InterruptedError()
    with refused("UpdateItem", "AccessDeniedException"):
        assert guard.__exit__(InterruptedError, failure, None) is False, "a context that swallows or replaces it"


# --- races ------------------------------------------------------------------------------------------------


@contextmanager
def _meeting(leases: list[Leases], after: str) -> Iterator[None]:
    """Let several processes reach the same point before any of them goes on, once."""
    barrier = threading.Barrier(len(leases))
    for each in leases:
        once = iter([barrier.wait])
        each._dynamo.meta.events.register(after, lambda of=once, **_: next(of, int)())
    yield


def _race(leases: list[Leases], executions: list[str], runs: Any) -> list[object]:
    """What each got: a lease, or an error."""
    found: dict[str, object] = {}

    def take(own: Leases, execution: str) -> None:
        try:
            found[execution] = own.take(TARGET, execution, runs)
        except (TargetBusy, TargetSettling) as error:
            found[execution] = error

    threads = [threading.Thread(target=take, args=pair) for pair in zip(leases, executions, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [found[execution] for execution in executions]


def _check_one_won(found: list[object], token: int) -> None:
    assert sorted(type(each).__name__ for each in found) == ["Lease", *["TargetBusy"] * (len(found) - 1)]
    assert Lease(TARGET, token) in found


@pytest.mark.parametrize("round_", range(3))
def test_of_several_that_race_for_a_free_target_exactly_one_wins(round_: int, leases: Leases) -> None:
    racing = [Leases(PRIMARY, TABLE) for _ in range(3)]
    with _meeting(racing, "after-call.dynamodb.GetItem"):
        found = _race(racing, [FIRST, SECOND, THIRD], _runs)
    _check_one_won(found, token=1)


def test_of_several_that_race_for_a_released_target_exactly_one_wins(leases: Leases) -> None:
    leases.take(TARGET, FIRST, _runs)
    leases.release(TARGET, FIRST)
    racing = [Leases(PRIMARY, TABLE) for _ in range(2)]
    with _meeting(racing, "after-call.dynamodb.GetItem"):
        found = _race(racing, [SECOND, THIRD], _runs)
    _check_one_won(found, token=2)


def test_of_several_that_race_for_a_dead_owners_target_exactly_one_wins(leases: Leases) -> None:
    leases.take(TARGET, FIRST, _runs)
    racing = [Leases(PRIMARY, TABLE) for _ in range(2)]
    with _meeting(racing, "after-call.dynamodb.GetItem"):
        found = _race(racing, [SECOND, THIRD], lambda execution: execution != FIRST)
    _check_one_won(found, token=2)


def test_a_function_that_wakes_up_while_it_is_being_taken_over_keeps_the_target(leases: Leases) -> None:
    """The taker has read the row; then the dead execution's function begins to change the target."""
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    taker = Leases(PRIMARY, TABLE)
    guard = leases.guard(operation, 60)
    once = iter([guard.__enter__])
    taker._dynamo.meta.events.register("after-call.dynamodb.GetItem", lambda **_: next(once, bool)() and None)
    with pytest.raises(TargetSettling):
        taker.take(TARGET, SECOND, _has_ended)
    assert (_row()["owner"], _row()["token"]) == (FIRST, 1)
    guard.__exit__(None, None, None)


def test_a_refusal_of_the_table_is_passed_on(leases: Leases) -> None:
    operation = _operation(leases.take(TARGET, FIRST, _runs), FIRST)
    with refused("PutItem", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        leases.take("another", FIRST, _runs)
    with refused("UpdateItem", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        leases.release(TARGET, FIRST)
    with refused("UpdateItem", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        leases.guard(operation, 60).__enter__()


def test_every_lease_is_listed_whether_it_is_held_or_not(leases: Leases) -> None:
    assert leases.rows() == []
    leases.take(TARGET, FIRST, _runs)
    leases.take("backup#vault", SECOND, _runs)
    leases.release("backup#vault", SECOND)
    found = {row.target: (row.owner, row.held) for row in leases.rows()}
    assert found == {TARGET: (FIRST, True), "backup#vault": (SECOND, False)}
