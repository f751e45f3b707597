"""`python -m lambdas.approvals`: what waits for a person's word, and the word: approve or refuse, with a reason.

It decides with the credentials of your shell, and with nothing that you could lend: see docs/operating.md, "Approvals".
"""

import argparse
import json
import sys
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.aws import AWS_ERRORS, client, error_code, lacks_identity
from lambdas.adapters.decision_slips import DecisionSlips
from lambdas.adapters.settings import shell_region
from lambdas.domain.approval import Approval, read_slip, slip_name
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.refusal import Refused

_TABLE, _FUNCTION = "mailark-approvals", "mailark-decide-approval"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    given = _arguments(arguments)
    try:
        region = given.region or shell_region()
        if not region:
            raise Refused("It is not known in which region to look.", "Name it with --region, or set AWS_REGION.")
        print(_answer(given, region))  # noqa: T201  # a command line tool
    except (MailarkError, Refused, _NotTaken, *AWS_ERRORS) as error:
        print(_in_words(error), file=sys.stderr)  # noqa: T201  # a command line tool
        return 1
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lambdas.approvals", description=__doc__)
    parser.add_argument("--region", help="the region of the operation; otherwise that of your shell")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what waits in the region")
    for name, what in (
        ("show", "one approval, whatever became of it"),
        ("approve", "let the operation go on"),
        ("refuse", "let the operation end without doing it"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("approval_id", help="the id in the request: apr-...")
        if name != "show":
            command.add_argument("--reason", required=True, help="why, in your own words; it goes into the audit trail")
    return parser.parse_args(arguments)


def _answer(given: argparse.Namespace, region: str) -> str:
    approvals = Approvals(region, _TABLE)
    if given.command == "list":
        waiting = approvals.pending()
        return "\n\n".join(_shown(each) for each in waiting) or f"Nothing waits for an approval in {region}."
    if given.command == "show":
        return _shown(approvals.get(given.approval_id))
    decided = _decide(region, given.approval_id, given.command, given.reason)
    after = "The operation goes on." if decided["status"] == "approved" else "The operation ends without doing it."
    return f"{decided['status'].title()}: {decided['asks']}. {after}"


def _shown(approval: Approval) -> str:
    lines = {
        "status": approval.status,
        "asks": approval.asks,
        "on": approval.on,
        "preview": approval.preview,
        "asked for by": f"{approval.requested_by}, by their own account, at {approval.requested_at}",
        "reason given": approval.why,
        "decide until": approval.expires_at,
        "operation": f"{approval.scenario}, {approval.execution}",
        "decided by": f"{approval.decided_by} at {approval.decided_at}" if approval.decided_by else None,
        "because": approval.reason,
    }
    return "\n".join([approval.id, *(f"  {name + ':':<14}{value}" for name, value in lines.items() if value)])


def _decide(region: str, approval_id: str, decision: str, reason: str) -> dict[str, Any]:
    """Write the slip, which proves who decides, and let Mailark read it; a command that died here may be run again."""
    caller = client("sts", region).get_caller_identity()["Arn"]
    slip, text = slip_name(approval_id, caller), json.dumps({"decision": decision, "reason": reason})
    read_slip(slip, 0, text, caller)  # nothing is written that would not be taken
    DecisionSlips(region).write(slip, text)
    payload = json.dumps({"parameter": slip})
    answer = client("lambda", region).invoke(FunctionName=_FUNCTION, Payload=payload)
    said: dict[str, Any] = msgspec.json.decode(answer["Payload"].read())
    if "FunctionError" in answer:
        raise _NotTaken(said["errorMessage"])
    return said


class _NotTaken(Exception):
    """What the function says of its error: its code, sentence and hint."""


def _in_words(error: Exception) -> str:
    """What stops it, and what to do."""
    if isinstance(error, AWS_ERRORS):
        if lacks_identity(error):
            fact = f"This shell has no valid credentials for AWS: {error_code(error)}."
            return str(Refused(fact, "Set your own (`aws sts get-caller-identity` proves them), and run this again."))
        if isinstance(error, ClientError):
            cure = 'docs/operating.md, "Approvals", says which permissions a person needs who decides.'
            return str(Refused(f"AWS has refused it: {error_code(error)} from {error.operation_name}.", cure))
        return str(Refused(f"AWS has not answered: {error_code(error)}.", "Run this again; it finds what is done."))
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
