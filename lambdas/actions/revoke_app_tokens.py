"""Delete every app token of a tenant's admin: each opens IMAP and SMTP, and outlives a new password."""

from dataclasses import dataclass

from lambdas.adapters.app_tokens import RecordedTokens, revoke_all
from lambdas.adapters.credential_target import mailu_of
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.mailu import AppToken
from lambdas.domain.operation import Operation

_TOLD = 50
"""So many tokens are told to the states that follow; all of them lie in the work bucket."""


@dataclass(frozen=True)
class RevokeAppTokens:
    operation: Operation
    tenant_id: str


@dataclass(frozen=True)
class AppTokensRevoked:
    """`tokens` are the first of them, without their secrets; `record` is the key of the list in the work bucket."""

    count: int
    tokens: list[AppToken]
    record: str


@action(RevokeAppTokens)
def handler(request: RevokeAppTokens, run: Run) -> AppTokensRevoked:
    settings = run.settings
    record = RecordedTokens(WorkStore(settings.region, settings["WORK_BUCKET"]), request.operation.id)
    leases = Leases(settings.region, settings["LEASES_TABLE"])
    with mailu_of(run, request.tenant_id) as (api, email), leases.guard(request.operation, run.seconds_left()):
        revoked = revoke_all(api, email, record)
    return AppTokensRevoked(len(revoked), revoked[:_TOLD], record.key)
