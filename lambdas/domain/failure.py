"""What Step Functions says of a failure, turned into a code, a sentence and a hint."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from lambdas.domain.errors import OperationStopped, OperationTimedOut, StepFailed, StepTimedOut
from lambdas.domain.mailark_error import Failure, MailarkError


def failure_of_step(state: str, error: str, cause: str) -> Failure:
    """The failure of a step, from the `Error` and `Cause` that its `Catch` received.

    A Lambda function's cause is a JSON text with its `errorMessage`, that of a state machine which was started and
    waited for one with its `Cause`; whatever else they hold is left out.
    """
    try:
        told = json.loads(cause)
        message = str(told["errorMessage"] if "errorMessage" in told else told["Cause"])
    except (ValueError, KeyError, TypeError):
        message = cause
    if known := Failure.parse(message):
        return known
    if error in ("States.Timeout", "Sandbox.Timedout"):
        return as_failure(StepTimedOut(state=state))
    return as_failure(StepFailed(state=state, error=error))


def with_second_failure(first: Failure, scenario: str, state: str, second: Failure) -> Failure:
    """Say of a failure what came after it: by the second one, of a `state` that clears up, something is left as it was.

    One that would say the same twice (it is the services' start that has failed, and again) says it once.
    """
    if second == first:
        return first
    what, cure = _LEFT_SO[state]
    cured_by = {"data_deletion": "row_recovery_emptying"}.get(scenario, "database_staging_emptying")
    return dataclasses.replace(
        first,
        sentence=f"{first.sentence} And {what}: {second.sentence}",
        hint=f"{first.hint} {cure.format(hint=second.hint, emptying=cured_by)}",
    )


def failure_of_execution(scenario: str, status: str, error: str, cause: str) -> Failure:
    """The failure of a whole execution: FAILED, TIMED_OUT or ABORTED."""
    if status == "TIMED_OUT":
        return as_failure(OperationTimedOut(scenario=scenario))
    if status == "ABORTED":
        return as_failure(OperationStopped(scenario=scenario))
    return failure_of_step(scenario, error, cause)


_SAVING = {
    "CheckVault",
    "ListVaultSecrets",
    "TakeVaultSnapshot",
    "ReadVaultInventory",
    "WrapKeys",
    "WriteManifest",
    "LockBackup",
    "VerifyBackupSaved",
}
"""The steps of a recovery that save what is about to be overwritten."""
_NOT_THERE = {"vault-unreachable", "vault-sealed", "vault-leaderless", "vault-uninitialized"}
"""Such a Vault cannot be restored either."""


_EMPTYING = {
    "RestoreVaultSnapshotSaved",
    "VerifyVaultSaved",
    "RestoreVaultSnapshotAfterFailure",
    "VerifyVaultAfterFailure",
}
"""The steps of a restore test that take the secrets from the staging Vault again."""
_EMPTY_STAGING = (
    "The staging Vault may still hold the secrets of the backup. Start staging_emptying (when a test was stopped or "
    "ran out of time it starts by itself), or give that Vault an empty disk."
)
_EMPTY_STAGING_BY_HAND = (
    "The staging Vault may still hold the secrets of a backup. If staging_emptying cannot take them away, stop that "
    "Vault and give it an empty disk."
)


_LEFT_SO = {
    "StartServicesAfterFailure": (
        "the services could not be started",
        "For the services: {hint} Then start services_start, which proves that they work.",
    ),
    "DropDatabaseAfterFailure": (
        "rows of the backup may still lie on the staging server",
        "For these rows: {hint} Then start {emptying}, which drops them.",
    ),
    "CopyToSecondStoreAfterFailure": ("the copy to the second store failed too", "For the second store: {hint}"),
}
"""What a step after a failure leaves where it fails itself, and what is to be done then."""
_UNDO_SWAP = "To go back to the database that was live before, start database_swap_undo."
_ON_FRESH = (
    "The services stand still, since the database that is for them is on the fresh server: point them and "
    "database.server of the estate to it, take database.fresh out of the estate, deploy, and start them. To give it up "
    "instead, start services_start: it runs them on the live server."
)
_SERVICES_STAND = (
    "The services may stand still. Start services_start (when this was stopped or ran out of time it starts by "
    "itself): it runs them on whichever database has the live name, and proves that they work. Then see what is still "
    "to do."
)
_SERVICES_BY_HAND = "If the services stand still, start them by hand on their host."
_LEFT_BY_TEST = (
    "Rows of the backup may still lie on the staging server. Start database_staging_emptying (when a test was stopped "
    "or ran out of time it starts by itself), or drop the database whose name begins with mailark_test_ by hand."
)
_LEFT_BY_RECOVERY = (
    "Rows of the backup may still lie on the staging server. Start row_recovery_emptying (when a recovery was stopped "
    "or ran out of time it starts by itself), or drop the database whose name begins with mailark_before_ by hand."
)
_ROWS_BY_HAND = (
    "Rows of a backup may still lie on the staging server: drop the database whose name begins with {name} by hand."
)
_LEFT = {"database_restore_test": _LEFT_BY_TEST, "data_deletion": _LEFT_BY_RECOVERY}
"""What may be left by a scenario that restores for a while."""
_CLEARS_UP = {
    "staging_emptying": _EMPTY_STAGING_BY_HAND,
    "services_start": _SERVICES_BY_HAND,
    "database_staging_emptying": _ROWS_BY_HAND.format(name="mailark_test_"),
    "row_recovery_emptying": _ROWS_BY_HAND.format(name="mailark_before_"),
}
"""What is left to do where even clearing up has failed."""
_MAY_BE_SWAPPED = (
    "If the server has a database with _corrupt_ and the time of this run in its name, the databases were exchanged "
    "all the same: look whether the services work then, or start database_swap_undo to go back."
)
_MAY_BE_IMPORTED = (
    "The rows may be in all the same: start this again with the same input, which finds what is still missing, and "
    "inserts nothing twice."
)
_STILL_WORKS = (
    "Until a response succeeds the leaked password works. If that takes more than some minutes, disable the user in "
    "Mailu by hand."
)
_MAY_BE_SET = (
    "The mail server may have a new password that Vault has not, so that the tenant's programs are refused: start "
    "credential_compromise again at once. It sets another one in both, and proves it."
)
_NOT_DONE = (
    "The password is a new one, in Mailu and in Vault. What comes after this step was not done: start "
    "credential_compromise again, which does all of it, with one more password."
)
_UNCERTAIN = {
    "step-failed",
    "step-timed-out",
    "database-unreachable",
    "lease-lost",
    "aws-unavailable",
    "unexpected",
    "recovery-plan-changed",  # the import's answer was lost, and its rows were touched before it ran again
}
"""Failures that may come after the work was done."""
_AFTER_SWAP = {
    "StartServices": _UNDO_SWAP,
    "VerifyServices": _UNDO_SWAP,
    "VerifyServicesOnFresh": _ON_FRESH,
    "CompleteOperation": f"{_UNDO_SWAP} After a restore with on_fresh: {_ON_FRESH[0].lower()}{_ON_FRESH[1:]}",
}
"""What else there is to do once the databases were exchanged, by the step of the recovery that has failed."""


def with_way_out(failure: Failure, scenario: str, state: str | None, saved_as: str | None) -> Failure:
    """Add what else somebody can do about a failed recovery or restore test; `state` is None if nobody knows it.

    `saved_as` is the id of the backup of what the target held before, where it was saved.
    """
    or_else = None
    if scenario == "vault_restore_test":
        if state is None or state in _EMPTYING:
            or_else = _EMPTY_STAGING
    elif failure.code == "services-belong-on-fresh":
        or_else = None
    elif scenario == "credential_compromise":
        if state in (None, "SetCredential"):
            or_else = _MAY_BE_SET
        else:
            or_else = _STILL_WORKS if state in ("BeginOperation", "CreateCredential") else _NOT_DONE
    elif scenario in _CLEARS_UP:
        or_else = _CLEARS_UP[scenario]
    elif scenario == "database_corruption":
        if state is None:
            or_else = _SERVICES_STAND
        elif state == "SwapDatabases":
            or_else = _MAY_BE_SWAPPED
        elif state in _AFTER_SWAP:
            or_else = _AFTER_SWAP[state]
    elif scenario == "database_swap_undo":
        if state is None:
            or_else = _SERVICES_STAND
    elif scenario in _LEFT:
        if state is None or state == "DropDatabase":
            or_else = _LEFT[scenario]
        elif state == "ImportRows" and failure.code in _UNCERTAIN:
            or_else = _MAY_BE_IMPORTED
    elif scenario == "vault_restore" and state in _SAVING and failure.code not in _NOT_THERE:
        or_else = (
            'If it cannot be saved and may be lost, start vault_restore with {"reason": "...", "without_saving": true}.'
        )
    elif saved_as is not None:
        or_else = (
            f"To go back to what was there before, start {scenario} with "
            f'{{"reason": "...", "backup_id": "{saved_as}"}}.'
        )
    return dataclasses.replace(failure, or_else=or_else)


def recorded_failure(outcome: Mapping[str, Any]) -> Failure | None:
    """What `FailOperation` recorded of an operation; None for one that did not fail."""
    if "code" not in outcome:
        return None
    return Failure(outcome["code"], outcome["sentence"], outcome["hint"], outcome.get("or_else"))


def as_failure(error: MailarkError) -> Failure:
    """An error as data."""
    failure = Failure.parse(str(error))
    assert failure is not None  # every MailarkError's text has this form
    return failure
