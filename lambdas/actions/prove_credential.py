"""Prove that a tenant's new password lets its user in by every way, and that the ones before it do no longer."""

from dataclasses import dataclass

from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.credential_target import rotator
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.mail_login import Verdict, Way
from lambdas.domain.operation import Operation
from lambdas.domain.rotation import Kind, Rotation


@dataclass(frozen=True)
class ProveCredential:
    operation: Operation
    tenant_id: str
    kind: Kind


@dataclass(frozen=True)
class CredentialProved:
    """`ways` are those by which the new password was let in, `not_offered` the others.

    `refused_by` are those that have refused every password before it; none, where nobody knew one.
    """

    ways: list[Way]
    not_offered: list[Way]
    refused_by: list[Way]
    proved_at: str


@action(ProveCredential)
def handler(request: ProveCredential, run: Run) -> CredentialProved:
    proof = rotator(run).prove(Rotation(request.operation.id, request.tenant_id, request.kind))
    return CredentialProved(
        ways=[each.way for each in proof.results if each.is_right],
        not_offered=[each.way for each in proof.results if each.verdict is Verdict.NOT_OFFERED],
        refused_by=list(proof.refused_by),
        proved_at=timestamp(run.now()),
    )
