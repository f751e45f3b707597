"""A proxy that lets a fifth of all requests to AWS go wrong: microburst, in the shapes that AWS's services use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from lab.aws import ROOT
from lab.processes import LOOPBACK, Server, free_port, stopped_at_end

_TOO_OFTEN = {"code": "ThrottlingException", "status": 400}
_THROTTLED = {
    "dynamodb": {"code": "ProvisionedThroughputExceededException", "status": 400},
    "kms": _TOO_OFTEN,
    "s3": {"code": "SlowDown", "status": 503},
    "secretsmanager": _TOO_OFTEN,
    "sns": {"code": "Throttling", "status": 400},
    "ssm": _TOO_OFTEN,
    "stepfunctions": _TOO_OFTEN,
}
"""How each service says that it is asked too often (its API reference, "Errors" and "Common errors")."""
_RULES: list[dict[str, Any]] = [
    *({"service": service, "probability": 0.08, "error": error} for service, error in _THROTTLED.items()),
    {"service": "*", "probability": 0.05, "reset": True},
    # AWS has acted, and its answer is lost: the hard case. An answer without a body gets through.
    {"service": "*", "probability": 0.06, "response": {"abort_bytes": 0}},
    {"service": "*", "probability": 0.03, "latency": {"min": 1000, "max": 3000}},
]
"""Asked in turn until one fires: together they meet 20 % of all requests."""


@dataclass(frozen=True)
class Faults:
    """The proxy while it runs; `endpoint` is what functions take for AWS."""

    endpoint: str

    def met(self) -> tuple[int, int]:
        """How many requests met a fault, and how many there were."""
        found = requests.get(f"{self.endpoint}/_microburst/stats", timeout=10).json()["requests"]
        return found["faulted"], found["total"]


@contextmanager
def faulty(endpoint: str, folder: Path, seed: int) -> Iterator[Faults]:
    """A proxy before the AWS at `endpoint`; the same seed throws the same dice."""
    port, rules = free_port(), folder / "faults.yaml"
    rules.write_text(yaml.safe_dump({"rules": _RULES}))
    command = [sys.executable, "-m", "tests.crash.seeded_microburst", str(seed)]
    options = ["--upstream", endpoint, "--port", str(port), "--config", str(rules)]
    server = Server("microburst", [*command, *options], {}, ROOT, folder / "microburst.log")
    faults = Faults(f"http://{LOOPBACK}:{port}")

    def answers() -> bool:
        try:
            return requests.get(f"{faults.endpoint}/_microburst/health", timeout=2).ok
        except requests.ConnectionError:
            return False

    with stopped_at_end(server):
        server.wait_until(answers)
        yield faults
