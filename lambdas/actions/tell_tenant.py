"""Tell a tenant by mail what happens to its credentials: its admin, and the contacts that read mail elsewhere.

One who is refused does not fail this: the result says so, and the next run tries again those who have not got it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from lambdas.adapters.credential_target import credentials_of, vault_of_credentials
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.mail_notices import MailNotices
from lambdas.adapters.vault_credentials import read_credential
from lambdas.domain.credential import check_tenant_id
from lambdas.domain.notice import (
    CONTACTS,
    DAYS_BEFORE,
    Told,
    compromise_notice,
    due_notice,
    malformed_results,
    recipients,
)
from lambdas.domain.operation import Operation
from lambdas.domain.tenant import admin_path


@dataclass(frozen=True)
class TellTenant:
    """`due_on` is when a planned rotation is due; left out, it is seven days after the operation's start.

    `tokens_revoked` is how many app tokens went with a compromised password.
    """

    operation: Operation
    tenant_id: str
    kind: Literal["compromise", "due"]
    due_on: date | None = None
    tokens_revoked: int = 0


@dataclass(frozen=True)
class TenantTold:
    """`all_sent` is whether SES has taken each notice, `out_of_band` whether one of those to a mailbox elsewhere."""

    told: list[Told]
    all_sent: bool
    out_of_band: bool


@action(TellTenant)
def handler(request: TellTenant, run: Run) -> TenantTold:
    operation, tenant_id = request.operation, check_tenant_id(request.tenant_id)
    estate = read_estate(run.settings.region)
    credentials = credentials_of(estate)
    secret = read_credential(vault_of_credentials(run, estate), admin_path(tenant_id))
    values = secret.data or {}
    email, sender = str(values.get("username", "")), credentials.notices_from
    if request.kind == "due":
        due_on = request.due_on or (datetime.fromisoformat(operation.started_at) + timedelta(days=DAYS_BEFORE)).date()
        notice = due_notice(email, due_on, sender)
    else:
        rotated_at = str(values.get("last_rotated") or operation.started_at)
        incident = operation.incident_id or operation.id
        notice = compromise_notice(email, incident, rotated_at, sender, request.tokens_revoked)
    found = recipients(email, secret.custom_metadata.get(CONTACTS, ""))
    notices = MailNotices(run.settings.region, run.settings["NOTICES_TABLE"], sender)
    told = notices.send(f"{operation.id}/{tenant_id}", found.to, notice, run.now()) + malformed_results(found)
    sent = [each for each in told if each.status == "sent"]
    return TenantTold(told, len(sent) == len(told), any(each.out_of_band for each in sent))
