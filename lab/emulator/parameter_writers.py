"""Parameter Store keeps who wrote each version of a parameter; for MiniStack it was always the account's root."""

import json
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import ssm


def apply() -> None:
    put = ssm._put_parameter

    def put_with_writer(data: dict[str, Any]) -> Any:
        status, headers, body = put(data)
        if status == 200:
            written = json.loads(body)["Version"]
            for version in ssm._parameter_history.get(data["Name"]) or []:
                if version["Version"] == written:
                    version["LastModifiedUser"] = iam_evaluator.caller_arn()
        return status, headers, body

    ssm._put_parameter = put_with_writer
