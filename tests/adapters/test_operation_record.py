"""What is kept of an operation: written together, and the same however often and wherever the writing dies."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError

from infra.grants import AUDIT
from infra.permissions import ACTIONS
from lambdas.adapters.audit_trail import AuditTrail
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.lambda_handler import Run
from lambdas.adapters.leases import Leases
from lambdas.adapters.operation_record import OperationRecord
from lambdas.adapters.operations import Operations
from lambdas.adapters.settings import Settings
from lambdas.domain.audit import faults
from lambdas.domain.errors import OperationStopped, TargetBusy
from lambdas.domain.mailark_error import Failure
from lambdas.domain.operation import UNNAMED, Operation
from lambdas.domain.scenarios import SCENARIOS
from tests.domain.builders import row_of
from tests.servers.aws import ACCOUNT, PRIMARY, forget, refused
from tests.servers.tables import KEYS, make_tables

SCENARIO = SCENARIOS["vault_restore"]
EXECUTION = f"arn:aws:states:{PRIMARY}:{ACCOUNT}:execution:mailark-vault-restore:op-1"
FAILURE = Failure("vault-sealed", "Vault is sealed.", "Restart it.")

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def record() -> OperationRecord:
    make_tables()
    return _record()


def _record() -> OperationRecord:
    names = {name.removeprefix("mailark-").upper().replace("-", "_") + "_TABLE": name for name in KEYS}
    names["AUDIT_BUCKET"] = f"audit-{PRIMARY}"
    return OperationRecord(Run("a_test", Settings(PRIMARY, names), time.monotonic() + 60))


def test_a_trail_that_hangs_leaves_the_time_to_spool(record: OperationRecord) -> None:
    limits = record._trail._dynamo.meta.config
    attempts = limits.retries["total_max_attempts"]
    pauses = sum(2**attempt for attempt in range(attempts - 1))  # seconds at most (botocore, "standard" mode)
    one_call = attempts * (limits.connect_timeout + limits.read_timeout) + pauses
    writers = [spec.seconds for spec in ACTIONS.values() if set(AUDIT) <= set(spec.uses)]
    assert 2 * one_call < min(writers) - 10  # a head, and the transaction


def _begin(record: OperationRecord) -> Operation:
    operation = Operation(
        id="op-1",
        scenario="vault_restore",
        execution=EXECUTION,
        mode="recover",
        started_at="2026-11-22T02:00:00+00:00",
        lease=record.take_lease(SCENARIO.target, EXECUTION),
        reason="Vault is gone",
        user_id="jo",
        incident_id="INC-7",
    )
    with contextlib.suppress(OperationStopped):  # what has ended does not begin again; its end alone runs again
        record.began(operation)
    return operation


def _complete(record: OperationRecord) -> None:
    record.completed(_begin(record), {"seconds": 1.5}, {"backup_id": "vault-snapshot-1"})


def _fail(record: OperationRecord) -> None:
    _begin(record)
    record.failed(SCENARIO, EXECUTION, FAILURE, "CheckVault")


def _fail_before_it_began(record: OperationRecord) -> None:
    record.failed(SCENARIO, EXECUTION, FAILURE, "BeginOperation")


def _kept() -> dict[str, Any]:
    """All that the tables say in the end, without the times."""
    trail = AuditTrail(PRIMARY, "mailark-audit-events", "mailark-audit-heads")
    links = list(trail.chain("platform#vault"))
    assert faults(links, trail.head("platform#vault")) == []
    row, free = Operations(PRIMARY, "mailark-operations").get("op-1"), _is_free()
    return {
        "events": [(link.event.event, link.event.severity, link.event.user_id, link.event.details) for link in links],
        "status": row.status,
        "outcome": row.outcome,
        "free": free,
    }


def _is_free() -> bool:
    try:
        Leases(PRIMARY, "mailark-leases").take("vault", EXECUTION.replace("op-1", "op-3"), lambda _: True)
    except TargetBusy:
        return False
    return True


STARTED = (
    "operation_started",
    "info",
    "jo",
    {
        "scenario": "vault_restore",
        "target": "vault",
        "mode": "recover",
        "reason": "Vault is gone",
        "incident_id": "INC-7",
    },
)
FAILED = {"code": "vault-sealed", "sentence": "Vault is sealed."}
OUTCOME: dict[str, object] = FAILED | {"hint": "Restart it.", "or_else": None, "details": {}}


def test_an_operation_that_succeeds_is_recorded_and_frees_its_target(record: OperationRecord) -> None:
    _complete(record)
    assert _kept() == {
        "events": [STARTED, ("vault_restored_from_backup", "info", "jo", {"backup_id": "vault-snapshot-1"})],
        "status": "succeeded",
        "outcome": {"seconds": 1.5, "details": {"backup_id": "vault-snapshot-1"}},
        "free": True,
    }


def test_an_operation_that_fails_is_recorded_and_frees_its_target(record: OperationRecord) -> None:
    _fail(record)
    assert _kept() == {
        "events": [STARTED, ("vault_restoration_failed", "critical", "jo", FAILED | {"state": "CheckVault"})],
        "status": "failed",
        "outcome": OUTCOME | {"state": "CheckVault"},
        "free": True,
    }


def test_a_failure_after_what_was_there_was_saved_names_the_saved_backup(record: OperationRecord) -> None:
    operation = _begin(record)
    catalog = Catalog(PRIMARY, "mailark-catalog")
    saved = dataclasses.replace(row_of(series="pre-restore"), operation_id=operation.id)
    for backup in (row_of(), dataclasses.replace(saved, id="of-another", operation_id="op-2"), saved):
        catalog.put(backup)
    row = record.failed(SCENARIO, EXECUTION, FAILURE, "VerifyVault")
    assert f'"backup_id": "{saved.id}"' in row.outcome["or_else"]


def test_a_failure_is_recorded_whether_or_not_the_catalog_answers(record: OperationRecord) -> None:
    _begin(record)
    with refused("Scan", "AccessDeniedException"):
        row = record.failed(SCENARIO, EXECUTION, FAILURE, "VerifyVault")
    assert (row.status, row.outcome["or_else"]) == ("failed", None)


def test_an_operation_that_failed_before_it_was_recorded_is_recorded_as_failed(record: OperationRecord) -> None:
    _fail_before_it_began(record)
    assert _kept() == {
        "events": [("vault_restoration_failed", "critical", UNNAMED, FAILED | {"state": "BeginOperation"})],
        "status": "failed",
        "outcome": OUTCOME | {"state": "BeginOperation"},
        "free": True,
    }


def test_the_first_end_stands_whatever_is_reported_later(record: OperationRecord) -> None:
    _fail(record)
    before = _kept()
    later = Failure("operation-stopped", "It was stopped.", "Find out who did.")
    row = record.failed(SCENARIO, EXECUTION, later, None)
    assert row.outcome["code"] == "vault-sealed"
    assert _kept() == before


def test_a_failure_that_is_reported_after_a_success_does_not_undo_it(record: OperationRecord) -> None:
    _complete(record)
    before = _kept()
    assert record.failed(SCENARIO, EXECUTION, FAILURE, None).status == "succeeded"
    assert _kept() == before


@pytest.mark.parametrize("lost", ["TransactWriteItems", "UpdateItem"])
def test_a_success_that_died_while_it_was_written_is_told_as_one_end_and_no_other(
    lost: str, record: OperationRecord
) -> None:
    operation = _begin(record)
    with refused(lost, "AccessDeniedException"), pytest.raises(ClientError):
        record.completed(operation, {"seconds": 1.5}, {"backup_id": "vault-snapshot-1"})
    row = record.failed(SCENARIO, EXECUTION, FAILURE, "CompleteOperation")
    told = [event for event, *_ in _kept()["events"]]
    end = {"succeeded": SCENARIO.completed, "failed": SCENARIO.failed}[row.status]
    assert told == ["operation_started", end]
    assert row.status == ("succeeded" if lost == "TransactWriteItems" else "failed")


def test_an_operation_that_died_before_the_trail_told_its_beginning_is_told_from_its_beginning(
    record: OperationRecord,
) -> None:
    with refused("TransactWriteItems", "AccessDeniedException"), pytest.raises(ClientError):
        _begin(record)
    record.failed(SCENARIO, EXECUTION, FAILURE, "BeginOperation")
    assert [event for event, *_ in _kept()["events"]] == ["operation_started", SCENARIO.failed]


def test_a_failure_does_not_free_a_target_that_another_operation_holds(record: OperationRecord) -> None:
    record.take_lease(SCENARIO.target, EXECUTION.replace("op-1", "op-2"))
    _fail_before_it_began(record)
    assert not _is_free()


@pytest.mark.parametrize("story", [_complete, _fail, _fail_before_it_began])
def test_wherever_the_writing_dies_running_it_again_ends_the_same(
    story: Callable[[OperationRecord], None], record: OperationRecord
) -> None:
    story(record)
    expected = _kept()
    for number in range(1, 20):
        forget("dynamodb")
        make_tables()
        writes = iter(range(1, 100))

        def is_the_one(request: AWSPreparedRequest, number: int = number, writes: Any = writes) -> bool:
            target = str(request.headers.get("X-Amz-Target", ""))
            is_write = any(name in target for name in ("PutItem", "UpdateItem", "TransactWriteItems"))
            return is_write and next(writes) == number

        with refused(is_the_one, "AccessDeniedException") as refusal:
            died = _dies(story)
        if not refusal.met:
            assert not died
            break
        assert died
        story(_record())
        assert _kept() == expected, f"after dying at write {number}"
    assert number > 3


def _dies(story: Callable[[OperationRecord], None]) -> bool:
    try:
        story(_record())
    except ClientError:
        return True
    return False
