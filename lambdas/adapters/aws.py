"""How AWS is called: with time limits, and retries of what is transient only."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session as BotocoreSession

CALL_LIMITS = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=16,
)
"""`standard` retries throttling, time-outs and 5xx answers, with jitter (botocore guide, "Retries")."""


def client(service: str, region: str) -> Any:
    """A client of an AWS service in a region."""
    return boto3.client(service, region_name=region, config=CALL_LIMITS)  # type: ignore[call-overload]


def botocore_session() -> BotocoreSession:
    """A session for libraries that make their own clients, with the same limits."""
    session = BotocoreSession()
    session.set_default_client_config(CALL_LIMITS)
    return session


AWS_ERRORS = (ClientError, BotoCoreError)
"""What a call raises: AWS has refused it, or has not answered."""


def error_code(error: Exception) -> str:
    """The code of an AWS error, such as `AccessDenied`; the class of an error that is not an answer of AWS."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__
