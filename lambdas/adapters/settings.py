"""The only place that reads the environment. Nothing is read at import."""

import os
from dataclasses import dataclass


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
