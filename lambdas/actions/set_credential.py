"""Set the new password at the tenant's mail server, and publish it in Vault at once after it."""

from dataclasses import dataclass

from lambdas.adapters.credential_target import rotator
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.domain.operation import Operation
from lambdas.domain.rotation import Kind, Rotation


@dataclass(frozen=True)
class SetCredential:
    operation: Operation
    tenant_id: str
    kind: Kind


@dataclass(frozen=True)
class CredentialSet:
    """`version` is the version of the secret in Vault that holds the new password."""

    version: int


@action(SetCredential)
def handler(request: SetCredential, run: Run) -> CredentialSet:
    works = rotator(run)
    leases = Leases(run.settings.region, run.settings["LEASES_TABLE"])
    with leases.guard(request.operation, run.seconds_left()):
        version = works.set_and_publish(Rotation(request.operation.id, request.tenant_id, request.kind))
    return CredentialSet(version)
