"""The checks of others over the whole house: cdk-nag and cfn-lint, and proof that each of them bites."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from infra.nag import acknowledge, check_best_practices
from tests.infra.templates import APP_STACKS, ROOT, STACKS, House


def _report(folder: Path) -> dict[str, Any]:
    """What cdk-nag found."""
    report = json.loads((folder / "validation-report.json").read_text())
    (nag,) = [each for each in report["pluginReports"] if each["pluginName"] == "AwsSolutions"]
    found: dict[str, Any] = nag
    return found


def test_cdk_nag_finds_nothing_that_is_not_acknowledged_with_a_reason(house: House) -> None:
    nag = _report(house.folder)
    assert nag["conclusion"] == "success"
    assert nag["violations"] == []
    assert nag["suppressedViolations"], "nothing was looked at"
    for finding in nag["suppressedViolations"]:
        assert finding["acknowledgedId"] == f"AwsSolutions::{finding['ruleName']}"
        assert len(finding["reason"]) > 30, finding["ruleName"]


def test_only_three_kinds_of_finding_are_acknowledged_at_all(house: House) -> None:
    """Wildcards, each by its resource (test_permissions.py has their list); the runtime; the dead-letter queue."""
    kinds = {finding["ruleName"].partition("[")[0] for finding in _report(house.folder)["suppressedViolations"]}
    assert kinds == {"AwsSolutions-IAM5", "AwsSolutions-L1", "AwsSolutions-SQS3"}


def test_a_bucket_without_tls_and_logs_fails_the_synth(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    bucket = s3.Bucket(Stack(app, "Careless"), "Bucket")
    acknowledge(
        bucket, "AwsSolutions-S1", "One finding is acknowledged: the other one has to fail the synth by itself."
    )
    check_best_practices(app)
    with pytest.raises(RuntimeError, match=r"^ValidationFailed: "):
        app.synth()
    assert {finding["ruleName"] for finding in _report(tmp_path)["violations"]} == {"AwsSolutions-S10"}


@pytest.fixture(scope="module")
def linted(house: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What cfn-lint says of each template, and of a broken one, in a single run."""
    broken = tmp_path_factory.mktemp("broken") / "Broken.template.json"
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueNme": "typing-error"}}
    broken.write_text(json.dumps({"Resources": {"Queue": queue}}))
    templates = [*(house.folder / f"{stack}.template.json" for stack in STACKS), broken]
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--format", "json", *(str(each) for each in templates)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    said: dict[str, list[str]] = {template.name.partition(".")[0]: [] for template in templates}
    for finding in json.loads(done.stdout):
        said[Path(finding["Filename"]).name.partition(".")[0]].append(f"{finding['Rule']['Id']} {finding['Message']}")
    return said


_JSONATA = "E3601 '{% $seconds %}' is not of type 'number' at 'States/RequestApproval/TimeoutSeconds'"
"""cfn-lint does not know that JSONata may give a task's time limit (Step Functions guide, "TimeoutSeconds")."""
_KNOWN = {stack: [_JSONATA] if stack in APP_STACKS else [] for stack in STACKS}
"""Each finding that is none, once and where it is: what cfn-lint learns is to be taken away here."""


@pytest.mark.parametrize("stack", STACKS)
def test_cfn_lint_finds_nothing_in_the_template(linted: dict[str, list[str]], stack: str) -> None:
    assert linted[stack] == _KNOWN[stack]


def test_cfn_lint_finds_a_property_that_does_not_exist(linted: dict[str, list[str]]) -> None:
    assert any("QueueNme" in finding for finding in linted["Broken"])
