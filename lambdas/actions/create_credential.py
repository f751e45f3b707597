"""Keep a new password for a tenant as pending in the escrow, before anything is set."""

from dataclasses import dataclass

from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.credential_target import rotator
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.operation import Operation
from lambdas.domain.rotation import Kind, Rotation


@dataclass(frozen=True)
class CreateCredential:
    operation: Operation
    tenant_id: str
    kind: Kind


@dataclass(frozen=True)
class CredentialCreated:
    """`item` names the value in the escrow: the same one, however often this runs."""

    item: str
    created_at: str


@action(CreateCredential)
def handler(request: CreateCredential, run: Run) -> CredentialCreated:
    rotation = Rotation(request.operation.id, request.tenant_id, request.kind)
    made = rotator(run).create(rotation, timestamp(run.now()))
    return CredentialCreated(made.item, made.created_at)
