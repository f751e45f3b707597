"""What a scenario takes as input, and how a mistake in it is refused."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from lambdas.domain.errors import BackupChoiceAmbiguous, InputInvalid
from lambdas.domain.recovery_scope import Deletion, ScopeItem
from lambdas.domain.scenario_inputs import BackupInput, DatabaseCorruptionInput, DataDeletionInput, VaultRestoreInput
from lambdas.domain.scenarios import SCENARIOS, Scenario, parse_input

BACKUP, RESTORE = SCENARIOS["vault_backup"], SCENARIOS["vault_restore"]
CORRUPTION, DELETION = SCENARIOS["database_corruption"], SCENARIOS["data_deletion"]


def test_the_scenarios_are_these() -> None:
    assert list(SCENARIOS) == [
        *("vault_backup", "vault_restore", "vault_restore_test", "staging_emptying"),
        *("database_backup", "database_restore_test", "database_corruption", "database_swap_undo"),
        *("services_start", "database_staging_emptying", "row_recovery_emptying", "data_deletion"),
        *("credential_compromise",),
        *("catalog_rebuild", "backup_watch", "audit_signing", "audit_verification"),
    ]
    assert [scenario.name for scenario in SCENARIOS.values()] == list(SCENARIOS)


def test_a_backup_and_a_restore_do_not_wait_for_each_other_but_share_a_chain_of_evidence() -> None:
    assert (BACKUP.target, RESTORE.target) == ("backup#vault", "vault")
    assert BACKUP.scope == RESTORE.scope == "platform#vault"


def test_a_restore_test_and_what_empties_after_it_wait_for_each_other() -> None:
    test, emptying = SCENARIOS["vault_restore_test"], SCENARIOS["staging_emptying"]
    assert test.target == emptying.target == "vault-staging"
    assert test.mode == emptying.mode == "rehearse"


def test_a_signature_waits_for_no_verification_and_both_leave_their_events_in_a_chain_of_their_own() -> None:
    signing, verification = SCENARIOS["audit_signing"], SCENARIOS["audit_verification"]
    assert (signing.target, verification.target) == ("audit#heads", "audit#verification")
    assert signing.scope == verification.scope == "platform#audit"


def test_the_ends_of_a_scenario_are_called_what_the_platform_calls_them() -> None:
    # platform-facts.md, "Event names in use"
    assert (BACKUP.completed, BACKUP.failed) == ("vault_backup_completed", "vault_backup_failed")
    assert (RESTORE.completed, RESTORE.failed) == ("vault_restored_from_backup", "vault_restoration_failed")


def test_a_restore_test_of_the_database_and_what_empties_after_it_wait_for_each_other() -> None:
    test, emptying = SCENARIOS["database_restore_test"], SCENARIOS["database_staging_emptying"]
    assert test.target == emptying.target == "database-staging"
    assert test.mode == emptying.mode == "rehearse"


def test_a_recovery_of_the_database_its_undo_deleted_rows_and_what_clears_up_after_them_wait_for_each_other() -> None:
    names = ("database_corruption", "database_swap_undo", "data_deletion", "services_start", "row_recovery_emptying")
    assert {SCENARIOS[name].target for name in names} == {"database"}
    assert {SCENARIOS[name].scope for name in SCENARIOS if SCENARIOS[name].needs_database} == {"platform#database"}


DELETED: dict[str, Any] = {"reason": "x", "deleted_at": "2026-11-22T09:15:00Z"}


def test_deleted_rows_take_the_time_alone_or_tables_a_condition_and_what_becomes_of_them() -> None:
    moment = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
    alone = parse_input(DELETION, DELETED)
    assert isinstance(alone, DataDeletionInput)
    assert alone.asked["deletion"] == Deletion(moment, [], "stop", export=False)
    scope = [{"table": "users"}, {"table": "domains", "where": "id = 7"}]
    given = DELETED | {"deleted_at": "2026-11-22T10:15:00+01:00", "scope": scope, "on_conflict": "skip"}
    wanted = parse_input(DELETION, given | {"mode": "export"})
    assert isinstance(wanted, DataDeletionInput)
    items = [ScopeItem("users"), ScopeItem("domains", "id = 7")]
    assert wanted.asked["deletion"] == Deletion(moment, items, "skip", export=True)


OF_DELETED_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "no time": ({"reason": "x"}, "deleted_at: this key is required and missing"),
    "a time without a zone": (
        DELETED | {"deleted_at": "2026-11-22T09:15:00"},
        "deleted_at: expected a time such as 2026-11-22T02:00:00Z, got '2026-11-22T09:15:00'",
    ),
    "a time in words": (
        DELETED | {"deleted_at": "this morning"},
        "deleted_at: expected a time such as 2026-11-22T02:00:00Z, got 'this morning'",
    ),
    "an unknown mode": (DELETED | {"mode": "delete"}, "mode: expected export or import, got 'delete'"),
    "an unknown way with conflicts": (
        DELETED | {"on_conflict": "overwrite"},
        "on_conflict: expected skip or stop, got 'overwrite'",
    ),
    "a scope that is no list": (DELETED | {"scope": {"table": "users"}}, "scope: expected a list, got a group of keys"),
    "a table by its bare name": (DELETED | {"scope": ["users"]}, "scope[0]: expected a group of keys, got 'users'"),
    "a condition without a table": (
        DELETED | {"scope": [{"table": "users"}, {"where": "id = 1"}]},
        "scope[1].table: this key is required and missing",
    ),
    "an empty table": (
        DELETED | {"scope": [{"table": ""}]},
        "scope[0].table: expected at least 1 character, got none",
    ),
    "a condition by another name": (
        DELETED | {"scope": [{"table": "users", "wher": "id = 1"}]},
        "scope[0].wher: this key is not known (did you mean where?)",
    ),
    "tables beside the scope": (
        DELETED | {"tables": ["users"]},
        "tables: this key is not known (known here: reason, incident_id, requested_by, deleted_at, scope, backup_id, "
        "on_conflict, mode)",
    ),
}


@pytest.mark.parametrize("mistake", OF_DELETED_ROWS)
def test_a_mistake_in_what_is_said_of_deleted_rows_is_named_with_an_example_of_how_it_is_right(mistake: str) -> None:
    data, problem = OF_DELETED_ROWS[mistake]
    with pytest.raises(InputInvalid) as caught:
        parse_input(DELETION, data)
    assert str(caught.value) == (
        f"input-invalid: The input of data_deletion is not valid: {problem}.\n"
        'Next: Start the execution again with an input such as {"reason": "an admin deleted a customer", "deleted_at": '
        '"2026-11-22T09:15:00Z", "scope": [{"table": "organizations", "where": "id = 42"}]}.'
    )


def test_a_corrupt_database_takes_a_reason_and_saves_what_is_readable() -> None:
    assert parse_input(CORRUPTION, {"reason": "x"}) == DatabaseCorruptionInput("x", pre_restore_backup=True)


def test_a_corrupt_database_takes_everything_else_too() -> None:
    given = {"reason": "x", "backup_id": "b", "pre_restore_backup": False, "even_if_sound": True, "on_fresh": True}
    assert parse_input(CORRUPTION, given) == DatabaseCorruptionInput(
        "x", backup_id="b", pre_restore_backup=False, even_if_sound=True, on_fresh=True
    )


OF_CORRUPTION: dict[str, tuple[dict[str, Any], str]] = {
    "no reason": ({}, "reason: this key is required and missing"),
    "a word for false": (
        {"reason": "x", "pre_restore_backup": "no"},
        "pre_restore_backup: expected true or false, got 'no'",
    ),
    "a number for true": ({"reason": "x", "on_fresh": 1}, "on_fresh: expected true or false, got 1"),
    "a date as people write it": (
        {"reason": "x", "backup_date": "22.11.2026"},
        "backup_date: expected a date such as 2026-11-22, got '22.11.2026'",
    ),
    "what only Vault's restore knows": (
        {"reason": "x", "without_saving": True},
        "without_saving: this key is not known (known here: reason, incident_id, requested_by, backup_date, backup_id, "
        "pre_restore_backup, even_if_sound, on_fresh)",
    ),
}


@pytest.mark.parametrize("mistake", OF_CORRUPTION)
def test_a_mistake_in_what_is_said_of_a_corrupt_database_is_named_too(mistake: str) -> None:
    data, problem = OF_CORRUPTION[mistake]
    with pytest.raises(InputInvalid) as caught:
        parse_input(CORRUPTION, data)
    assert str(caught.value) == (
        f"input-invalid: The input of database_corruption is not valid: {problem}.\n"
        'Next: Start the execution again with an input such as {"reason": "the server reports damaged pages"}.'
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_example_in_a_hint_is_itself_a_valid_input(name: str) -> None:
    scenario = SCENARIOS[name]
    assert isinstance(parse_input(scenario, json.loads(scenario.example)), scenario.input)


def test_a_restore_takes_a_reason_and_the_newest_backup() -> None:
    assert parse_input(RESTORE, {"reason": "lost"}) == VaultRestoreInput("lost")


def test_a_restore_takes_a_date() -> None:
    given = parse_input(RESTORE, {"reason": "lost", "backup_date": "2026-11-22"})
    assert given == VaultRestoreInput("lost", backup_date=date(2026, 11, 22))


def test_a_restore_takes_everything_else_too() -> None:
    given = parse_input(RESTORE, {"reason": "lost", "backup_id": "b", "incident_id": "i", "requested_by": "ada"})
    assert given == VaultRestoreInput("lost", incident_id="i", requested_by="ada", backup_id="b")


def test_null_is_as_good_as_nothing() -> None:
    given = parse_input(RESTORE, {"reason": "lost", "backup_id": None, "backup_date": None, "incident_id": None})
    assert given == VaultRestoreInput("lost")


def test_a_backup_takes_nothing_at_all() -> None:
    assert parse_input(BACKUP, {}) == BackupInput("started by hand")


def test_a_reason_may_be_as_long_as_500_characters() -> None:
    assert parse_input(RESTORE, {"reason": "x" * 500}).reason == "x" * 500


MISTAKES: dict[str, tuple[Any, str]] = {
    "a list": (["lost"], "expected a group of keys, got a list"),
    "an empty list": ([], "expected a group of keys, got an empty list"),
    "a text": ("lost", "expected a group of keys, got 'lost'"),
    "a number": (7, "expected a group of keys, got 7"),
    "null": (None, "expected a group of keys, got nothing"),
    "no reason": ({}, "reason: this key is required and missing"),
    "null as a reason": ({"reason": None}, "reason: expected text, got nothing"),
    "a blank reason": ({"reason": "  "}, "reason: expected some words, got '  '"),
    "an empty reason": ({"reason": ""}, "reason: expected at least 1 character, got none"),
    "too long a reason": ({"reason": "x" * 501}, "reason: expected at most 500 characters, got 501"),
    "a number as a reason": ({"reason": 3}, "reason: expected text, got 3; put it in quotes"),
    "an unknown field": (
        {"reason": "x", "backupdate": "2026-11-22"},
        "backupdate: this key is not known (did you mean backup_date?)",
    ),
    "a field like no other": (
        {"reason": "x", "force": True},
        "force: this key is not known "
        "(known here: reason, incident_id, requested_by, backup_date, backup_id, without_saving)",
    ),
    "an impossible date": (
        {"reason": "x", "backup_date": "2026-02-30"},
        "backup_date: expected a date such as 2026-11-22, got '2026-02-30'",
    ),
    "a date with a time": (
        {"reason": "x", "backup_date": "2026-11-22T02:00:00Z"},
        "backup_date: expected a date such as 2026-11-22, got '2026-11-22T02:00:00Z'",
    ),
    "a date as people write it": (
        {"reason": "x", "backup_date": "22.11.2026"},
        "backup_date: expected a date such as 2026-11-22, got '22.11.2026'",
    ),
    "a date as a number": (
        {"reason": "x", "backup_date": 20261122},
        "backup_date: expected a date such as 2026-11-22, got 20261122",
    ),
    "an empty id": ({"reason": "x", "backup_id": ""}, "backup_id: expected at least 1 character, got none"),
    "a list of ids": ({"reason": "x", "backup_id": ["a", "b"]}, "backup_id: expected text, got a list"),
    "too long an incident": (
        {"reason": "x", "incident_id": "i" * 121},
        "incident_id: expected at most 120 characters, got 121",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_input_of_a_restore_is_named_with_an_example_of_how_it_is_right(mistake: str) -> None:
    data, problem = MISTAKES[mistake]
    with pytest.raises(InputInvalid) as caught:
        parse_input(RESTORE, data)
    assert str(caught.value) == (
        f"input-invalid: The input of vault_restore is not valid: {problem}.\n"
        'Next: Start the execution again with an input such as {"reason": "Vault lost its disk"}.'
    )


def test_a_mistake_in_the_input_of_a_backup_has_an_example_of_its_own() -> None:
    with pytest.raises(InputInvalid) as caught:
        parse_input(BACKUP, {"backup_id": "b"})
    assert str(caught.value) == (
        "input-invalid: The input of vault_backup is not valid: backup_id: this key is not known "
        "(known here: reason, incident_id, requested_by, scheduled_for, accept_loss).\n"
        'Next: Start the execution again with an input such as {"reason": "before the upgrade"}.'
    )


@pytest.mark.parametrize("scenario", [RESTORE, CORRUPTION], ids=lambda scenario: scenario.name)
def test_a_date_and_an_id_together_are_one_too_many(scenario: Scenario) -> None:
    with pytest.raises(BackupChoiceAmbiguous) as caught:
        parse_input(scenario, {"reason": "x", "backup_date": "2026-11-22", "backup_id": "b"})
    assert str(caught.value) == (
        "backup-choice-ambiguous: Both backup_date and backup_id were given.\n"
        "Next: Give one of them, or neither for the newest backup that is proved intact."
    )
