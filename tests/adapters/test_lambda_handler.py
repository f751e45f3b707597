"""What every action has around it; above all, that no value of a failed call leaves it in any way."""

import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import hvac
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from lambdas.adapters.lambda_handler import Run, action, logger
from lambdas.domain.errors import AwsUnavailable, Unexpected
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.vault_errors import VaultSealed
from tests.servers.aws import PRIMARY

MARKED = "marked-secret-3f9c"


@dataclass(frozen=True)
class _Request:
    number: int
    text: str = "nothing"


@dataclass(frozen=True)
class _Inner:
    at: datetime


@dataclass(frozen=True)
class _Answer:
    inner: _Inner
    numbers: list[int]
    nothing: str | None = None


class _Context:
    """What Lambda tells a function about itself, as far as it is used."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(self._seconds * 1000)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", PRIMARY)
    monkeypatch.setenv("MAILARK_CATALOG_TABLE", "mailark-catalog")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the function writes to its log."""
    handler, written = logger.registered_handler, io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def _failing(error: BaseException) -> Callable[[Any, Any], Any]:
    @action(_Request)
    def handler(request: _Request, run: Run) -> None:
        raise error

    return handler


# --- what goes in and what comes out ----------------------------------------------------------------------


def test_an_action_is_given_its_event_its_settings_and_its_time_and_returns_plain_values(log: io.StringIO) -> None:
    seen: list[Any] = []

    @action(_Request)
    def handler(request: _Request, run: Run) -> _Answer:
        seen.append((request, run.settings.region, run.settings["CATALOG_TABLE"], run.action, run.seconds_left()))
        return _Answer(_Inner(datetime(2026, 11, 22, tzinfo=UTC)), [1, 2])

    found = handler({"number": 7, "unknown": "is left out"}, _Context(60))
    assert found == {"inner": {"at": "2026-11-22T00:00:00Z"}, "numbers": [1, 2], "nothing": None}
    ((request, region, table, name, left),) = seen
    assert (request, region, table, name) == (_Request(7), PRIMARY, "mailark-catalog", "test_lambda_handler")
    assert 59 < left <= 60


def test_an_action_has_no_time_left_once_its_time_is_over() -> None:
    @action(_Request)
    def handler(request: _Request, run: Run) -> float:
        return run.seconds_left()

    assert handler({"number": 1}, _Context(0)) == 0.0


def test_an_end_that_is_good_is_one_line_of_the_log_with_the_operation(log: io.StringIO) -> None:
    @action(_Request)
    def handler(request: _Request, run: Run) -> None:
        return None

    handler({"number": 1, "operation": {"id": "op-1"}}, _Context())
    handler({"number": 1}, _Context())
    first, second = _lines(log)
    assert (first["message"], first["action"], first["correlation_id"]) == (
        "action done",
        "test_lambda_handler",
        "op-1",
    )
    assert first["level"] == "INFO"
    assert first["seconds"] >= 0
    assert "correlation_id" not in second


# --- what goes wrong --------------------------------------------------------------------------------------


def test_a_known_failure_leaves_as_it_is_and_its_code_is_logged(log: io.StringIO) -> None:
    with pytest.raises(VaultSealed, match=r"^vault-sealed: Vault at https://v is sealed\.\nNext: Restart it"):
        _failing(VaultSealed(address="https://v"))({"number": 1, "operation": {"id": "op-1"}}, _Context())
    (line,) = _lines(log)
    assert (line["message"], line["error"], line["correlation_id"]) == ("action failed", "vault-sealed", "op-1")


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({}, "ValidationError"),
        ({"number": MARKED}, "ValidationError"),
        ({"number": 1, "text": {MARKED: MARKED}}, "ValidationError"),
        (MARKED, "ValidationError"),
        (None, "ValidationError"),
        ({"operation": {"identity": MARKED}}, "ValidationError"),
        ({"operation": {}}, "ValidationError"),
        ({"operation": MARKED}, "ValidationError"),
    ],
)
def test_an_event_of_the_wrong_form_is_a_failure_like_any_other(event: Any, problem: str, log: io.StringIO) -> None:
    with pytest.raises(Unexpected) as failure:
        _failing(AssertionError())(event, _Context())
    assert f"test_lambda_handler failed in a way that Mailark does not know: {problem}." in str(failure.value)
    assert MARKED not in _everything(failure.value) + log.getvalue()


_KMS = ClientError({"Error": {"Code": "AccessDeniedException", "Message": MARKED}}, "Decrypt")


def _chained() -> Exception:
    try:
        try:
            raise ValueError(MARKED)
        except ValueError as cause:
            raise RuntimeError(MARKED) from cause
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ValueError(MARKED), "ValueError"),
        (KeyError(MARKED), "KeyError"),
        (_KMS, "AccessDeniedException from Decrypt"),
        (hvac.exceptions.InvalidRequest(MARKED, text=MARKED, json={"password": MARKED}), "InvalidRequest"),
        (UnicodeDecodeError("utf-8", MARKED.encode(), 0, 1, MARKED), "UnicodeDecodeError"),
        (ExceptionGroup(MARKED, [ValueError(MARKED)]), "ExceptionGroup"),
        (_chained(), "RuntimeError"),
    ],
)
def test_no_value_of_an_unknown_failure_leaves_the_function(
    error: Exception, problem: str, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unexpected) as failure:
        _failing(error)({"number": 1, "text": MARKED, "operation": {"id": "op-1"}}, _Context())
    assert f"does not know: {problem}." in str(failure.value)
    (line,) = _lines(log)
    assert (line["message"], line["error"]) == ("action failed unexpectedly", problem)
    assert any("test_lambda_handler.py" in frame and frame.endswith(" handler") for frame in line["frames"])
    written = capfd.readouterr()
    assert MARKED not in _everything(failure.value) + log.getvalue() + written.out + written.err


_BARE: Any = {"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
"""No answer has all the keys that the types name."""


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException", "Message": MARKED}}, "GetParameter"), "GetParameter"),
        (ClientError(_BARE, "GetItem"), "GetItem: X"),
        (ReadTimeoutError(endpoint_url=f"https://{MARKED}"), "a request: ReadTimeoutError"),
    ],
)
def test_a_call_of_aws_that_may_work_a_little_later_is_said_to_be_such(error: Exception, problem: str) -> None:
    @action(_Request)
    def handler(request: _Request, run: Run) -> None:
        raise error

    with pytest.raises(AwsUnavailable, match=f"AWS did not answer {problem}") as failure:
        handler({"number": 1}, _Context())
    assert MARKED not in str(failure.value)


def test_a_result_that_cannot_be_passed_on_is_a_failure_without_its_value(log: io.StringIO) -> None:
    class Odd:
        def __repr__(self) -> str:
            return MARKED

    @action(_Request)
    def handler(request: _Request, run: Run) -> Any:
        return Odd()

    with pytest.raises(Unexpected) as failure:
        handler({"number": 1}, _Context())
    assert MARKED not in _everything(failure.value) + log.getvalue()


def test_every_failure_of_an_action_has_a_code_a_sentence_and_a_hint() -> None:
    for error in (ValueError(MARKED), VaultSealed(address="https://v"), _KMS):
        with pytest.raises(MailarkError, match=r"(?s)^[a-z-]+: .+\.\nNext: .+\.$"):
            _failing(error)({"number": 1}, _Context())


def _everything(error: BaseException) -> str:
    """All that Lambda passes on of an error: its text, its class, and a traceback as Python prints it."""
    return str(error) + repr(error) + repr(error.args) + "".join(traceback.format_exception(error))
