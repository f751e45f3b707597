"""How AWS is called: with time limits, and retries of what is transient only."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError
from botocore.session import Session as BotocoreSession

from lambdas.domain.errors import AwsUnavailable, KeyUnusable
from lambdas.domain.mailark_error import MailarkError

_ATTEMPTS = 4
CALL_LIMITS = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    max_pool_connections=16,
    s3={"payload_signing_enabled": False},
    response_checksum_validation="when_required",
)
"""The content of what goes to S3 is protected by TLS and its checksum: to sign it is to hash it once more. What comes
from there is held to the SHA-256 of a signed manifest; boto3 would hold it to S3's own checksum as well.

`standard` retries throttling, time-outs and 5xx answers, with jitter (botocore guide, "Retries")."""

_limits: ContextVar[Config | None] = ContextVar("limits", default=None)


@contextmanager
def brief_calls(attempts: int = 2) -> Iterator[None]:
    """Clients made in this block give up after `attempts` times seven seconds: their caller does not wait."""
    before = _limits.set(_brief(attempts))
    try:
        yield
    finally:
        _limits.reset(before)


@cache
def _brief(attempts: int) -> Config:
    return Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=16,
    )


def client(service: str, region: str) -> Any:
    """A client of an AWS service in a region: made once, and kept with its connections while the function is warm."""
    return _made(service, region, _limits.get() or CALL_LIMITS)


@cache
def _made(service: str, region: str, limits: Config) -> Any:
    made: Any = boto3.client(service, region_name=region, config=limits)  # type: ignore[call-overload]  # wants a literal
    _take_whole_answers_only(made.meta.events)
    return made


def forget_clients() -> None:
    """Let the next call make its client anew: for a process whose credentials or endpoint change."""
    _made.cache_clear()


def botocore_session() -> BotocoreSession:
    """A session for libraries that make their own clients, with the same limits."""
    session = BotocoreSession()
    session.set_default_client_config(CALL_LIMITS)
    _take_whole_answers_only(session)
    return session


def _take_whole_answers_only(events: Any) -> None:
    """Let an answer whose end was cut off be asked for again, and refused in the end.

    botocore does not hold an answer to its Content-Length: one that breaks off after its head would be a success with
    nothing in it, a table without the row, a key without its plaintext. (Streams it does check, as they are read.)
    """

    def ask_again(response: Any, operation: Any, attempts: int, **_: Any) -> float | None:
        if response is None or attempts >= _ATTEMPTS or not _is_cut(response[0], operation):
            return None
        return random.uniform(0, 2 ** (attempts - 1))  # noqa: S311  # jitter, not cryptography

    def refuse(http_response: Any, model: Any, **_: Any) -> None:
        if _is_cut(http_response, model):
            raise ConnectionClosedError(endpoint_url=http_response.url)

    events.register("needs-retry", ask_again)
    events.register("after-call", refuse)


def _is_cut(answer: Any, operation: Any) -> bool:
    promised = answer.headers.get("Content-Length")
    if promised is None or operation.has_streaming_output or operation.http.get("method") == "HEAD":
        return False
    return len(answer.content) < int(promised)


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
    return isinstance(error, HTTPClientError | NoConnection | IncompleteReadError | ResponseParserError)


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
