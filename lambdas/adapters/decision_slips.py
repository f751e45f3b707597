"""Decisions as people write them, in Parameter Store, which knows who wrote each version of a parameter."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client, error_code
from lambdas.domain.approval_errors import SlipMissing


@dataclass(frozen=True)
class Written:
    """One version of a slip. `by` is the ARN of whoever wrote it, from AWS and not from the text."""

    text: str
    by: str
    version: int


class DecisionSlips:
    """The slips of one region."""

    def __init__(self, region: str) -> None:
        self._ssm: Any = client("ssm", region)

    def read(self, parameter: str, version: int | None = None) -> Written:
        """A version of a slip, the newest where none is named, with its writer. Raises `SlipMissing`."""
        found: list[dict[str, Any]] = []
        arguments: dict[str, Any] = {"Name": parameter, "MaxResults": 50}
        while True:
            try:
                page = self._ssm.get_parameter_history(**arguments)
            except ClientError as error:
                if error_code(error) == "ParameterNotFound":
                    raise SlipMissing(parameter=parameter) from None
                raise
            found += page["Parameters"]
            if not page.get("NextToken"):
                break
            arguments["NextToken"] = page["NextToken"]
        named = [each for each in found if version in (None, int(each["Version"]))]
        if not named:
            raise SlipMissing(parameter=f"{parameter}, version {version}")
        newest = max(named, key=lambda each: int(each["Version"]))
        return Written(str(newest["Value"]), str(newest["LastModifiedUser"]), int(newest["Version"]))

    def write(self, parameter: str, text: str) -> None:
        """Write a slip, as the person whose credentials these are."""
        self._ssm.put_parameter(Name=parameter, Value=text, Type="String", Overwrite=True)
