"""One synth for all tests of the templates: `build_house` with the real settings, as the CDK CLI runs it."""

import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

import pytest
from aws_cdk import App

from infra.house import build_house
from tests.infra.templates import ACCOUNT, ROOT, House


def app(folder: Path, settings: dict[str, str]) -> App:
    """The app as `cdk synth -c name=value` makes it."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return App(outdir=str(folder), context=context | settings)


def synth(folder: Path, settings: dict[str, str]) -> House:
    """Synthesize the house; fails on any finding of cdk-nag."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDK_DEFAULT_ACCOUNT", ACCOUNT)
        patch.setattr("infra.house.is_the_examples_key", lambda _: False)  # what is looked at here is the example
        patch.chdir(ROOT)
        built = app(folder, settings)
        build_house(built)
        built.synth()
    return House.read(folder)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house as it is deployed to AWS."""
    return synth(tmp_path_factory.mktemp("house"), {})
