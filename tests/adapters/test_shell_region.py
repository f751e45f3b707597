"""The region of a person's shell, whichever of the two variables they have set."""

import pytest

from lambdas.adapters.settings import shell_region


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_one_variable_is_enough(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert shell_region() is None
    monkeypatch.setenv(name, "eu-west-3")
    assert shell_region() == "eu-west-3"


def test_of_both_it_is_the_one_that_the_aws_cli_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert shell_region() == "eu-west-3"
