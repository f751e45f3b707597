"""What stands for AWS where only our own speed counts: S3 that keeps parts in memory, and KMS; both on loopback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from lab.aws import ROOT
from lab.certificates import CertificateAuthority
from lab.processes import LOOPBACK, Server, free_port, stopped_at_end

REGION = "eu-central-1"
_KEY = ("test", "test")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": _KEY[0], "AWS_SECRET_ACCESS_KEY": _KEY[1], "AWS_REGION": REGION}
_ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


@contextmanager
def s3(folder: Path, authority: CertificateAuthority) -> Iterator[str]:
    """The stub of S3, by TLS; gives its endpoint."""
    issued, port = authority.issue("s3-stub"), free_port()
    command = [sys.executable, "-m", "benchmarks.s3_stub", str(port), str(issued.certificate), str(issued.key)]
    with stopped_at_end(Server("the stub of S3", command, _ENVIRONMENT, folder, folder / "s3-stub.log")) as server:
        server.wait_until(lambda: _listens(port))
        yield f"https://{LOOPBACK}:{port}"


def _listens(port: int) -> bool:
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return any(f":{port:04X} 00000000:0000 0A" in line for line in lines)


@contextmanager
def kms(folder: Path) -> Iterator[tuple[str, str]]:
    """moto's KMS with one key; gives its endpoint and the key's ARN."""
    port, made = free_port(), list[str]()
    command = [sys.executable, "-m", "moto.server", "--host", LOOPBACK, "--port", str(port)]
    endpoint = f"http://{LOOPBACK}:{port}"
    with stopped_at_end(Server("moto", command, _ENVIRONMENT | CREDENTIALS, folder, folder / "moto.log")) as server:
        server.wait_until(lambda: _made_key(endpoint, made))
        yield endpoint, made[0]


def _made_key(endpoint: str, made: list[str]) -> bool:
    session = boto3.Session(*_KEY, region_name=REGION)
    client = session.client("kms", endpoint_url=endpoint)
    with suppress(BotoCoreError, ClientError):
        made.append(client.create_key()["KeyMetadata"]["Arn"])
    return bool(made)
