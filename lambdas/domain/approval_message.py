"""What people read when an approval is asked for. It holds no link that decides anything: a mail scanner clicks."""

from lambdas.domain.alert import Message, plain_subject
from lambdas.domain.approval import Approval
from lambdas.domain.operation import console_link


def request_message(approval: Approval, estate: str, region: str) -> Message:
    """The request: what will be done, to what, who wants it, until when, and how to answer."""
    incident = f"Incident:       {approval.incident_id}\n" if approval.incident_id else ""
    preview = f"Preview:        {approval.preview}\n" if approval.preview else ""
    command = f"python -m lambdas.approvals --region {region}"
    body = f"""{approval.scenario} waits for an approval: {approval.asks}.

What is asked:  {approval.asks}
On:             {approval.on}
                of {estate}, region {region}
{preview}Asked for by:   {approval.requested_by}, by their own account
Reason given:   {approval.why}
{incident}Decide until:   {approval.expires_at}
Execution:      {console_link(approval.execution)}

Nothing happens before somebody decides, and nothing if nobody does. Look at the preview first. Whoever started the
operation may not approve it, unless the estate says so. To decide, with your own credentials:

  {command} approve {approval.id} --reason "..."
  {command} refuse {approval.id} --reason "..."

In the console, and without a checkout: docs/operating.md, "Approvals".
"""
    return Message(plain_subject(f"[{estate}] approval needed: {approval.asks}"), body)
