"""An answer of AWS that breaks off is not an answer: botocore alone takes one without a body for a success."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError, IncompleteReadError

from lambdas.adapters.aws import botocore_session, client, is_transient
from tests.servers.aws import PRIMARY, answer_cut

pytestmark = pytest.mark.usefixtures("_clean")
NAME = "/a/parameter"


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)  # no waiting
    made: Any = client("ssm", PRIMARY)
    made.put_parameter(Name=NAME, Value="kept", Type="String")
    return made


def test_without_a_check_it_would_be_a_success_with_nothing_in_it(ssm: Any) -> None:
    with answer_cut("GetParameter", 1):
        assert "Parameter" not in boto3.client("ssm", region_name=PRIMARY).get_parameter(Name=NAME)


def test_it_is_asked_for_again(ssm: Any) -> None:
    with answer_cut("GetParameter", 3) as cut:
        assert ssm.get_parameter(Name=NAME)["Parameter"]["Value"] == "kept"
    assert len(cut) == 3


def test_when_every_answer_breaks_off_the_call_fails_and_may_be_made_again_later(ssm: Any) -> None:
    of_a_library: Any = botocore_session().create_client("ssm", region_name=PRIMARY)
    for each in (ssm, of_a_library):
        with answer_cut("GetParameter", 9) as cut, pytest.raises(ConnectionClosedError) as failure:
            each.get_parameter(Name=NAME)
        assert len(cut) == 4
        assert is_transient(failure.value)


def test_a_stream_that_breaks_off_while_it_is_read_may_be_read_again_later() -> None:
    assert is_transient(IncompleteReadError(actual_bytes=1, expected_bytes=2))
