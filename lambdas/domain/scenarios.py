"""The scenarios that exist: what each changes, what it takes as input, and what the audit trail calls its ends.

A new scenario is one entry here, one state machine in `statemachines/`, and its actions.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lambdas.domain.errors import BackupChoiceAmbiguous, InputInvalid
from lambdas.domain.objectives import PLANS, Plan
from lambdas.domain.operation import Mode
from lambdas.domain.parsing import Problem, parse
from lambdas.domain.recovery_plan import OnConflict
from lambdas.domain.recovery_scope import Deletion, ScopeItem

_NOT_BLANK = r"\S"
Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=_NOT_BLANK)]
ShortText = Annotated[str, Meta(min_length=1, max_length=120)]


class ScheduledInput(Struct, frozen=True, forbid_unknown_fields=True):
    """`scheduled_for` comes from the schedule or the event that starts it; a person gives a reason, or nothing."""

    reason: Reason = "started by hand"
    incident_id: ShortText | None = None
    requested_by: ShortText | None = None
    scheduled_for: Annotated[datetime, Meta(tz=True)] | None = None


class ServicesStartInput(ScheduledInput, frozen=True, forbid_unknown_fields=True):
    """`stopped` is the execution after which it starts by itself; left out, they run on the live server."""

    stopped: Annotated[str, Meta(min_length=1, max_length=300)] | None = None


class BackupInput(ScheduledInput, frozen=True, forbid_unknown_fields=True):
    """`accept_loss` takes a backup for good though it looks as if something were lost, since that is meant."""

    accept_loss: bool = False


class RestoreTestInput(ScheduledInput, frozen=True, forbid_unknown_fields=True):
    """`backup_id` tests this very backup; left out, it is the newest that is proved intact."""

    backup_id: ShortText | None = None


class ByHandInput(Struct, frozen=True, forbid_unknown_fields=True):
    """What the on-call engineer types: a reason, at least."""

    reason: Reason
    incident_id: ShortText | None = None
    requested_by: ShortText | None = None


class VaultRestoreInput(ByHandInput, frozen=True, forbid_unknown_fields=True):
    """`without_saving` overwrites what Vault holds without a backup of it, where such a backup cannot be made."""

    backup_date: date | None = None
    backup_id: ShortText | None = None
    without_saving: bool = False


class DatabaseCorruptionInput(ByHandInput, frozen=True, forbid_unknown_fields=True):
    """`pre_restore_backup` saves a dump of what is still readable; the damaged database is kept in any case.

    `even_if_sound` restores where nothing wrong was found. `on_fresh` restores onto the estate's fresh server.
    """

    backup_date: date | None = None
    backup_id: ShortText | None = None
    pre_restore_backup: bool = True
    even_if_sound: bool = False
    on_fresh: bool = False


class SwapUndoInput(ByHandInput, frozen=True, forbid_unknown_fields=True):
    """`kept_as` is the name of the database that is to be live again; left out, its swap has to be of the last day."""

    kept_as: ShortText | None = None


class DataDeletionInput(ByHandInput, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`deleted_at` is when the rows were deleted: the backup is the newest that was finished before.

    `scope` names tables, or a table and a condition; left out, the tables that lost rows are found and shown. With
    `on_conflict: skip` rows that cannot come back are left out; `mode: export` writes CSV and imports nothing.
    """

    deleted_at: Annotated[datetime, Meta(tz=True)]
    scope: list[ScopeItem] = []
    backup_id: ShortText | None = None
    on_conflict: OnConflict = "stop"
    mode: Literal["import", "export"] = "import"

    @property
    def deletion(self) -> Deletion:
        return Deletion(self.deleted_at.astimezone(UTC), self.scope, self.on_conflict, self.mode == "export")


ScenarioInput = ScheduledInput | ByHandInput


@dataclass(frozen=True)
class Scenario:
    """`target` is what the lease is on; `scope` is the chain of the audit trail that its events belong to."""

    name: str
    input: type[ScheduledInput] | type[ByHandInput]
    target: str
    scope: str
    completed: str
    failed: str
    example: str
    mode: Mode = "recover"
    needs_database: bool = False

    @property
    def plan(self) -> Plan:
        return PLANS[self.name]


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="vault_backup",
            input=BackupInput,
            target="backup#vault",
            scope="platform#vault",
            completed="vault_backup_completed",
            failed="vault_backup_failed",
            example='{"reason": "before the upgrade"}',
        ),
        Scenario(
            name="vault_restore",
            input=VaultRestoreInput,
            target="vault",
            scope="platform#vault",
            completed="vault_restored_from_backup",
            failed="vault_restoration_failed",
            example='{"reason": "Vault lost its disk"}',
        ),
        Scenario(
            name="vault_restore_test",
            input=RestoreTestInput,
            target="vault-staging",
            scope="platform#vault",
            completed="vault_restore_test_completed",
            failed="vault_restore_test_failed",
            example='{"reason": "before the audit"}',
            mode="rehearse",
        ),
        Scenario(
            name="staging_emptying",
            input=ScheduledInput,
            target="vault-staging",
            scope="platform#vault",
            completed="staging_emptied",
            failed="staging_emptying_failed",
            example='{"reason": "a restore test left secrets"}',
            mode="rehearse",
        ),
        Scenario(
            name="database_backup",
            input=BackupInput,
            target="backup#database",
            scope="platform#database",
            completed="database_backup_completed",
            failed="database_backup_failed",
            example='{"reason": "before the migration"}',
            needs_database=True,
        ),
        Scenario(
            name="database_restore_test",
            input=RestoreTestInput,
            target="database-staging",
            scope="platform#database",
            completed="database_restore_test_completed",
            failed="database_restore_test_failed",
            example='{"reason": "before the audit"}',
            mode="rehearse",
            needs_database=True,
        ),
        Scenario(
            name="database_corruption",
            input=DatabaseCorruptionInput,
            target="database",
            scope="platform#database",
            completed="database_restored_from_backup",
            failed="database_restoration_failed",
            example='{"reason": "the server reports damaged pages"}',
            needs_database=True,
        ),
        Scenario(
            name="database_swap_undo",
            input=SwapUndoInput,
            target="database",
            scope="platform#database",
            completed="database_swap_undone",
            failed="database_swap_undo_failed",
            example='{"reason": "the restored database lacks too much"}',
            needs_database=True,
        ),
        Scenario(
            name="services_start",
            input=ServicesStartInput,
            target="database",
            scope="platform#database",
            completed="services_started",
            failed="services_start_failed",
            example='{"reason": "a recovery was stopped"}',
            needs_database=True,
        ),
        Scenario(
            name="database_staging_emptying",
            input=ScheduledInput,
            target="database-staging",
            scope="platform#database",
            completed="database_staging_emptied",
            failed="database_staging_emptying_failed",
            example='{"reason": "a restore test left rows"}',
            mode="rehearse",
            needs_database=True,
        ),
        Scenario(
            name="row_recovery_emptying",
            input=ScheduledInput,
            target="database",
            scope="platform#database",
            completed="row_recovery_emptied",
            failed="row_recovery_emptying_failed",
            example='{"reason": "a recovery of rows left some"}',
            needs_database=True,
        ),
        Scenario(
            name="data_deletion",
            input=DataDeletionInput,
            target="database",
            scope="platform#database",
            completed="deleted_data_recovered",
            failed="data_recovery_failed",
            example='{"reason": "an admin deleted a customer", "deleted_at": "2026-11-22T09:15:00Z", '
            '"scope": [{"table": "organizations", "where": "id = 42"}]}',
            needs_database=True,
        ),
        Scenario(
            name="catalog_rebuild",
            input=ByHandInput,
            target="catalog",
            scope="platform#catalog",
            completed="catalog_rebuilt",
            failed="catalog_rebuild_failed",
            example='{"reason": "the catalog was lost"}',
        ),
        Scenario(
            name="backup_watch",
            input=ScheduledInput,
            target="watch#backups",
            scope="platform#watch",
            completed="backup_watch_completed",
            failed="backup_watch_failed",
            example='{"reason": "is last night\'s backup there?"}',
        ),
        Scenario(
            name="audit_signing",
            input=ScheduledInput,
            target="audit#heads",
            scope="platform#audit",
            completed="audit_heads_signed",
            failed="audit_signing_failed",
            example='{"reason": "before the export"}',
        ),
        Scenario(
            name="audit_verification",
            input=ScheduledInput,
            target="audit#verification",
            scope="platform#audit",
            completed="audit_trail_verified",
            failed="audit_verification_failed",
            example='{"reason": "the auditor asks"}',
        ),
    )
}


def parse_input(scenario: Scenario, data: object) -> ScenarioInput:
    """Read what a person or a schedule gave. Raises `InputInvalid` or `BackupChoiceAmbiguous`."""
    try:
        given = parse(data, scenario.input, {_NOT_BLANK: "some words"})
    except Problem as problem:
        raise InputInvalid(scenario=scenario.name, problem=str(problem), example=scenario.example) from None
    if isinstance(given, VaultRestoreInput | DatabaseCorruptionInput) and given.backup_date and given.backup_id:
        raise BackupChoiceAmbiguous()
    return given
