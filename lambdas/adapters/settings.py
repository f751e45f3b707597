"""The only place that reads the environment. Nothing is read at import."""

import os
from dataclasses import dataclass

import boto3


@dataclass(frozen=True)
class Settings:
    """Where this function works: names of tables and buckets, ARNs of keys. Set by `infra/`, all of it per function.

    Asking for one that the function was not given raises `KeyError`: the construct lacks a grant.
    """

    region: str
    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]


def read_settings() -> Settings:
    """The settings of this process."""
    prefix = "MAILARK_"
    values = {k.removeprefix(prefix): v for k, v in os.environ.items() if k.startswith(prefix)}
    return Settings(region=os.environ["AWS_REGION"], values=values)


def shell_region() -> str | None:
    """The region of a person's shell or profile: boto3 reads AWS_DEFAULT_REGION alone, and the AWS CLI both."""
    return os.environ.get("AWS_REGION") or boto3.Session().region_name
