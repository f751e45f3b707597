"""The record of every operation: begun once, ended once, and a scheduled run that belongs to one of them."""

import dataclasses
import threading

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.operations import OperationRow, Operations
from lambdas.domain.errors import OperationUnknown
from lambdas.domain.operation import Lease, Operation
from tests.servers.aws import PRIMARY, refused
from tests.servers.tables import make_tables

TABLE = "mailark-operations"
OPERATION = Operation(
    id="op-1",
    scenario="vault_backup",
    execution="arn:aws:states:eu-central-1:123456789012:execution:mailark-vault-backup:op-1",
    mode="recover",
    started_at="2026-11-22T02:00:00+00:00",
    lease=Lease("backup#vault", 3),
    reason="nightly backup",
    user_id="system",
)
AT = "2026-11-22T02:01:00Z"

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def operations() -> Operations:
    make_tables()
    return Operations(PRIMARY, TABLE)


def test_an_operation_that_has_begun_runs(operations: Operations) -> None:
    operations.begin(OPERATION, "2026-11-22T02:00:00Z")
    assert operations.get("op-1") == OperationRow(OPERATION, "running", {}, "2026-11-22T02:00:00Z", None)


def test_what_a_person_gave_is_kept(operations: Operations) -> None:
    given = dataclasses.replace(OPERATION, incident_id="INC-7", user_id="jo", reason="Vault is gone: “all” of it")
    operations.begin(given)
    assert operations.get("op-1") == OperationRow(given, "running", {})


def test_beginning_again_changes_nothing(operations: Operations) -> None:
    operations.begin(OPERATION)
    operations.begin(dataclasses.replace(OPERATION, reason="another", lease=Lease("backup#vault", 9)))
    assert operations.get("op-1").operation == OPERATION


def test_beginning_again_does_not_reopen_what_has_ended(operations: Operations) -> None:
    operations.begin(OPERATION)
    operations.end("op-1", "failed", AT, {"code": "vault-sealed"})
    operations.begin(OPERATION)
    assert operations.get("op-1").status == "failed"


def test_an_end_is_recorded_with_its_outcome(operations: Operations) -> None:
    operations.begin(OPERATION)
    outcome = {"seconds": 61.5, "steps": [{"state": "CheckVault", "seconds": 0.25}], "details": {"size": 7}}
    assert operations.end("op-1", "succeeded", AT, outcome)
    found = operations.get("op-1")
    assert (found.status, found.ended_at, found.outcome) == ("succeeded", AT, outcome)


def test_the_first_end_stands(operations: Operations) -> None:
    operations.begin(OPERATION)
    assert operations.end("op-1", "failed", AT, {"code": "vault-sealed"})
    assert not operations.end("op-1", "succeeded", "2026-11-22T02:02:00Z", {})
    assert not operations.end("op-1", "failed", "2026-11-22T02:02:00Z", {"code": "unexpected"})
    assert (operations.get("op-1").status, operations.get("op-1").outcome) == ("failed", {"code": "vault-sealed"})


def test_of_two_ends_at_once_one_stands(operations: Operations) -> None:
    operations.begin(OPERATION)
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(operations.end("op-1", "failed", AT, {"n": n})))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [False] * 7 + [True]


def test_what_never_began_does_not_end(operations: Operations) -> None:
    assert not operations.end("op-1", "failed", AT, {})
    with pytest.raises(OperationUnknown, match="op-1"):
        operations.get("op-1")


# --- scheduled runs ---------------------------------------------------------------------------------------

DUE = "2026-11-22T02:00:00Z"


def test_a_scheduled_run_belongs_to_the_first_that_claims_it(operations: Operations) -> None:
    assert operations.claim_schedule("vault_backup", DUE, "op-1") == "op-1"
    assert operations.claim_schedule("vault_backup", DUE, "op-2") == "op-1"
    assert operations.claim_schedule("vault_backup", DUE, "op-1") == "op-1"


def test_a_claim_is_taken_over_from_the_one_that_is_named_and_from_no_other(operations: Operations) -> None:
    operations.claim_schedule("vault_backup", DUE, "op-1")
    assert operations.claim_schedule("vault_backup", DUE, "op-2", instead_of="op-1") == "op-2"
    assert operations.claim_schedule("vault_backup", DUE, "op-3", instead_of="op-1") == "op-2"


def test_another_time_or_another_scenario_is_another_run(operations: Operations) -> None:
    operations.claim_schedule("vault_backup", DUE, "op-1")
    assert operations.claim_schedule("vault_backup", "2026-11-23T02:00:00Z", "op-2") == "op-2"
    assert operations.claim_schedule("vault_drill", DUE, "op-3") == "op-3"


def test_of_many_that_claim_a_run_at_once_all_are_told_the_same_owner(operations: Operations) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(operations.claim_schedule("vault_backup", DUE, f"op-{n}")))
        for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 10
    assert len(set(found)) == 1


def test_a_claim_is_no_operation(operations: Operations) -> None:
    operations.claim_schedule("vault_backup", DUE, "op-1")
    with pytest.raises(OperationUnknown):
        operations.get("op-1")


def test_a_refusal_of_the_table_is_passed_on(operations: Operations) -> None:
    operations.begin(OPERATION)
    with refused("PutItem", "AccessDeniedException"):
        with pytest.raises(ClientError, match="AccessDenied"):
            operations.begin(OPERATION)
        with pytest.raises(ClientError, match="AccessDenied"):
            operations.claim_schedule("vault_backup", DUE, "op-1")
    with refused("UpdateItem", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        operations.end("op-1", "failed", AT, {})
    assert operations.get("op-1").status == "running"
