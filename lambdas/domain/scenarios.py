"""The scenarios that exist: what each changes, what it takes as input, and what the audit trail calls its ends.

A new scenario is one entry here, one state machine in `statemachines/`, and its actions.
"""

from dataclasses import dataclass

from lambdas.domain.audit import Severity
from lambdas.domain.credential import check_tenant_id
from lambdas.domain.errors import BackupChoiceAmbiguous, InputInvalid
from lambdas.domain.objectives import PLANS, Plan
from lambdas.domain.operation import Mode, Operation
from lambdas.domain.parsing import Problem, parse
from lambdas.domain.scenario_inputs import (
    NOT_BLANK,
    BackupInput,
    ByHandInput,
    CredentialCompromiseInput,
    DatabaseCorruptionInput,
    DataDeletionInput,
    RestoreTestInput,
    ScenarioInput,
    ScheduledInput,
    ServicesStartInput,
    SwapUndoInput,
    VaultRestoreInput,
)
from lambdas.domain.tenant import TENANT, tenant_target


@dataclass(frozen=True)
class Scenario:
    """`target` is what the lease is on; `scope` is the chain of the audit trail that its events belong to.

    One of a single tenant (`of_tenant`) has both for each tenant: see `target_of` and `scope_of`. `severity` is that of
    its good end in the audit trail.
    """

    name: str
    input: type[ScenarioInput]
    target: str
    scope: str
    completed: str
    failed: str
    example: str
    mode: Mode = "recover"
    needs_database: bool = False
    of_tenant: bool = False
    severity: Severity = "info"

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
            name="credential_compromise",
            input=CredentialCompromiseInput,
            target="credentials",
            scope="platform#credentials",
            completed="credential_compromise_response",
            failed="credential_compromise_response_failed",
            example='{"tenant_id": "550e8400-e29b-41d4-a716-446655440000", "compromise_details": "seen in a paste"}',
            of_tenant=True,
            severity="critical",
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
    """Read what a person, a schedule or an alarm gave.

    Raises `InputInvalid`, `BackupChoiceAmbiguous` and `TenantIdInvalid`.
    """
    try:
        given = parse(data, scenario.input, {NOT_BLANK: "some words"})
    except Problem as problem:
        raise InputInvalid(scenario=scenario.name, problem=str(problem), example=scenario.example) from None
    if isinstance(given, VaultRestoreInput | DatabaseCorruptionInput) and given.backup_date and given.backup_id:
        raise BackupChoiceAmbiguous()
    if isinstance(given, CredentialCompromiseInput):
        check_tenant_id(given.tenant_id)
    return given


def target_of(scenario: Scenario, given: ScenarioInput) -> str:
    """What an operation with this input needs the lease on."""
    return tenant_target(given.tenant_id) if isinstance(given, CredentialCompromiseInput) else scenario.target


def scope_of(operation: Operation) -> str:
    """The chain of the audit trail that an operation's events belong to: its tenant's, if it is about one."""
    target = operation.lease.target
    return target if target.startswith(TENANT) else SCENARIOS[operation.scenario].scope
