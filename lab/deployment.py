"""The real deployment, to the embedded AWS: `cdk bootstrap` and `cdk deploy --all`, with the real template."""

import os
import platform
import subprocess
from pathlib import Path

from lab.aws import ACCOUNT, ROOT, Aws, interpreter
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
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            "CI": "true",
        }
    )


def bootstrap(aws: Aws, folder: Path, regions: tuple[str, str]) -> None:
    """`cdk bootstrap`, in both regions."""
    places = [f"aws://{ACCOUNT}/{region}" for region in regions]
    _cdk(aws, folder, regions[0], "bootstrap", *places, "--app", "")


def deploy(aws: Aws, folder: Path, regions: tuple[str, str], estate: Path, endpoint: str) -> None:
    """`cdk deploy --all`; `endpoint` is what the functions are told AWS's address is."""
    settings = cdk_settings(aws, estate, endpoint)
    context = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    output = ["--output", str(folder / "cdk.out")]
    arguments = ["deploy", "--all", "--require-approval", "never", "--concurrency", "2", *output, *context]
    _cdk(aws, folder, regions[0], *arguments)


def cdk_settings(aws: Aws, estate: Path, endpoint: str) -> dict[str, str]:
    """What synth is told here, and by its own defaults in a real account: settings, and nothing else differs."""
    processor = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    return {
        "estate": str(estate),
        "python": interpreter(),
        "architecture": processor,
        "endpoint": endpoint,
        "endpoint_ca": str(aws.ca),
    }


def _cdk(aws: Aws, folder: Path, region: str, *arguments: str) -> None:
    log = folder / "cdk.log"
    with log.open("a") as output:
        done = subprocess.run(
            [str(CDK), *arguments],
            cwd=ROOT,
            env=cdk_environment(aws, region),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
    if done.returncode != 0:
        end = "\n".join(log.read_text().splitlines()[-30:])
        raise LabError(f"`cdk {arguments[0]}` failed. The end of its output:\n{end}")
