"""How AWS is called: with time limits, and retries of what is transient only."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.session import Session as BotocoreSession

from lambdas.domain.errors import AwsUnavailable, KeyUnusable, MailarkError

CALL_LIMITS = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=16,
)
"""`standard` retries throttling, time-outs and 5xx answers, with jitter (botocore guide, "Retries")."""

_BRIEF_LIMITS = Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=16
)
_brief: ContextVar[bool] = ContextVar("brief", default=False)


@contextmanager
def brief_calls() -> Iterator[None]:
    """Clients made in this block give up within seconds: a person waits at a terminal, and a region may be dead."""
    before = _brief.set(True)
    try:
        yield
    finally:
        _brief.reset(before)


def client(service: str, region: str) -> Any:
    """A client of an AWS service in a region: made once, and kept with its connections while the function is warm."""
    return _made(service, region, _BRIEF_LIMITS if _brief.get() else CALL_LIMITS)


@cache
def _made(service: str, region: str, limits: Config) -> Any:
    return boto3.client(service, region_name=region, config=limits)  # type: ignore[call-overload]  # wants a literal


def forget_clients() -> None:
    """Let the next call make its client anew: for a process whose credentials or endpoint change."""
    _made.cache_clear()


def botocore_session() -> BotocoreSession:
    """A session for libraries that make their own clients, with the same limits."""
    session = BotocoreSession()
    session.set_default_client_config(CALL_LIMITS)
    return session


AWS_ERRORS = (ClientError, BotoCoreError)
"""What a call raises: AWS has refused it, or has not answered."""


_TRANSIENT = frozenset(
    {"ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "SlowDown", "LimitExceeded"}
    | {"RequestLimitExceeded", "ProvisionedThroughputExceededException", "TransactionInProgressException"}
    | {"DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"}
)


def is_transient(error: Exception) -> bool:
    """Whether AWS may answer the same call well a little later: throttling, its own faults, no answer at all."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error_code(error) in _TRANSIENT
    return isinstance(error, HTTPClientError | NoConnection)


def unavailable(error: Exception) -> AwsUnavailable:
    """A transient error, as people read it."""
    request = error.operation_name if isinstance(error, ClientError) else "a request"
    return AwsUnavailable(request=request, problem=error_code(error))


def key_error(key: str, error: Exception) -> MailarkError:
    """What a failed call of KMS means for `key`: that it cannot be used, or only that KMS did not answer."""
    return unavailable(error) if is_transient(error) else KeyUnusable(key=key, problem=error_code(error))


def refusal(key: str, code: str) -> MailarkError:
    """The same, where only the code of KMS's answer is known."""
    return AwsUnavailable(request="KMS", problem=code) if code in _TRANSIENT else KeyUnusable(key=key, problem=code)


_NO_IDENTITY = {
    "CredentialRetrievalError",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "SSOTokenLoadError",
    "SignatureDoesNotMatch",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
    "UnrecognizedClientException",
}


def lacks_identity(error: Exception) -> bool:
    """Whether AWS does not know who calls: no credentials, or none that are valid."""
    return error_code(error) in _NO_IDENTITY


def error_code(error: Exception) -> str:
    """The code of an AWS error, such as `AccessDenied`; the class of an error that is not an answer of AWS."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__
