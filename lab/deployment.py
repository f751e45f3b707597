"""The real deployment, to the embedded AWS: `cdk bootstrap` and `cdk deploy --all`, with the real template."""

import json
import os
import platform
import subprocess
from pathlib import Path

from lab.aws import ROOT, Aws, interpreter
from lab.processes import LabError

CDK = ROOT / ".node" / "node_modules" / ".bin" / "cdk"
STACKS = ("MailarkDataPrimary", "MailarkPrimary", "MailarkDataStandby", "MailarkStandby")


def cdk_environment(aws: Aws, region: str) -> dict[str, str]:
    """The environment of the CDK command line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return (
        kept
        | aws.environment()
        | {
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "CDK_DISABLE_VERSION_CHECK": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            "CI": "true",
        }
    )


BOOTSTRAP = ".node/node_modules/.bin/cdk bootstrap"
DEPLOY = ".node/node_modules/.bin/cdk deploy --all"
"""The two commands of the README, as they stand there."""


def synthesize(aws: Aws, folder: Path, region: str, estate: Path, endpoint: str) -> None:
    """Write the templates, once for both commands; `endpoint` is what the functions are told AWS's address is.

    `folder` becomes a place where the commands of the README work: its `cdk.json` names the templates, and answers the
    questions that a person would be asked.
    """
    context = [part for each in _settings(aws, estate, endpoint).items() for part in ("-c", "=".join(each))]
    _run(aws, folder, region, [str(CDK), "synth", "--quiet", "--output", str(folder / "cdk.out"), *context], ROOT)
    (folder / ".node").symlink_to(ROOT / ".node")
    (folder / "cdk.json").write_text(json.dumps({"app": "cdk.out", "requireApproval": "never", "concurrency": 2}))


def bootstrap(aws: Aws, folder: Path, region: str) -> None:
    """`cdk bootstrap`, which finds both regions in the templates."""
    _run(aws, folder, region, BOOTSTRAP.split(), folder)


def deploy(aws: Aws, folder: Path, region: str) -> None:
    """`cdk deploy --all`."""
    _run(aws, folder, region, DEPLOY.split(), folder)


def _settings(aws: Aws, estate: Path, endpoint: str) -> dict[str, str]:
    """What synth is told here, and by its own defaults in a real account: settings, and nothing else differs."""
    processor = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    return {
        "estate": str(estate),
        "python": interpreter(),
        "architecture": processor,
        "endpoint": endpoint,
        "endpoint_ca": str(aws.ca),
    }


def _run(aws: Aws, folder: Path, region: str, command: list[str], place: Path) -> None:
    log = folder / "cdk.log"
    with log.open("a") as output:
        done = subprocess.run(
            command,
            cwd=place,
            env=cdk_environment(aws, region),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
    if done.returncode != 0:
        end = "\n".join(log.read_text().splitlines()[-30:])
        raise LabError(f"`cdk {command[1]}` failed. The end of its output:\n{end}")
