"""Let the new password be the current one in the escrow too, and mark the old one in Vault if it was compromised."""

from dataclasses import dataclass

from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.credential_target import escrow_of, vault_of_credentials
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.rotation import finish
from lambdas.domain.operation import Operation
from lambdas.domain.rotation import Kind, Rotation


@dataclass(frozen=True)
class FinishRotation:
    operation: Operation
    tenant_id: str
    kind: Kind


@dataclass(frozen=True)
class RotationFinished:
    """`compromised_version` is the version in Vault that was marked; None after a planned rotation."""

    version: int
    compromised_version: int | None


@action(FinishRotation)
def handler(request: FinishRotation, run: Run) -> RotationFinished:
    operation = request.operation
    rotation = Rotation(operation.id, request.tenant_id, request.kind)
    estate = read_estate(run.settings.region)
    vault, escrow = vault_of_credentials(run, estate), escrow_of(run, estate)
    incident_id, now = operation.incident_id or operation.id, timestamp(run.now())
    leases = Leases(run.settings.region, run.settings["LEASES_TABLE"])
    with leases.guard(operation, run.seconds_left()):
        item = finish(vault, escrow, rotation, incident_id, operation.user_id, now)
    return RotationFinished(item.vault_version, item.vault_version - 1 if request.kind == "emergency" else None)
