"""The estate is read once a minute, however often it is asked for."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from lambdas.adapters.estate_parameter import PARAMETER
from lambdas.adapters.recent_estate import forget_estates, recent_estate
from tests.domain.builders import ESTATE
from tests.servers.aws import PRIMARY, aws

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_estates()
    yield
    forget_estates()


def _put(name: str) -> None:
    text = ESTATE.replace("name: example", f"name: {name}")
    aws("ssm").put_parameter(Name=PARAMETER, Value=text, Type="String", Overwrite=True, Tier="Advanced")


def test_it_is_read_again_after_a_minute_and_not_before() -> None:
    _put("first")
    with patch("lambdas.adapters.recent_estate.time.monotonic", return_value=1000.0) as clock:
        assert recent_estate(PRIMARY).name == "first"
        _put("second")
        clock.return_value = 1060.0
        assert recent_estate(PRIMARY).name == "first"
        clock.return_value = 1061.0
        assert recent_estate(PRIMARY).name == "second"


def test_it_is_read_again_when_it_is_forgotten() -> None:
    _put("first")
    recent_estate(PRIMARY)
    _put("second")
    forget_estates()
    assert recent_estate(PRIMARY).name == "second"
