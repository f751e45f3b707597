"""The condition keys of IAM that our policies rest on.

`kms:EncryptionContext:…` and `cloudwatch:namespace` are not known to MiniStack, and `aws:PrincipalArn` is a session's
ARN there; on AWS it is the role's (IAM guide, "AWS global condition context keys").
"""

import json
import re
from typing import Any

from ministack.core import iam_actions, iam_evaluator

_SESSION = re.compile(r"arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+")


def apply() -> None:
    context_of = iam_actions.request_tag_context
    resolve = iam_evaluator._resolve_condition_key

    def context_with_more(service: str, action: str, body: bytes, params: Any) -> dict[str, Any]:
        context: dict[str, Any] = context_of(service, action, body, params)
        if service == "kms":
            given = json.loads(body or b"{}").get("EncryptionContext") or {}
            context |= {f"kms:EncryptionContext:{name}": value for name, value in given.items()}
        if action == "cloudwatch:PutMetricData" and body[:1] == b"{":  # boto3 speaks JSON with CloudWatch
            context["cloudwatch:namespace"] = json.loads(body)["Namespace"]
        return context

    def resolve_with_role(key: str, context: Any) -> Any:
        value = resolve(key, context)
        if key.lower() == "aws:principalarn" and (session := _SESSION.fullmatch(value or "")):
            return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"
        return value

    iam_actions.request_tag_context = context_with_more
    iam_evaluator._resolve_condition_key = resolve_with_role
