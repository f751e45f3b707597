"""Running one action by itself, as Lambda does: a process of its own, with the settings that are deployed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.aws import ACCOUNT, ROOT
from lab.lab import Lab
from lambdas.adapters.leases import Leases
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS

_RUN = """
import importlib, json, sys, time
from lab.actions import peak_bytes
handler = importlib.import_module(f"lambdas.actions.{sys.argv[1]}").handler
context = type("Context", (), {"get_remaining_time_in_millis": lambda self: 900_000})()
began = time.monotonic()
result = handler(json.loads(sys.argv[2]), context)
seconds = time.monotonic() - began
print("RESULT " + json.dumps({"result": result, "seconds": seconds, "peak_bytes": peak_bytes()}))
"""


@dataclass(frozen=True)
class Ran:
    """What an action returned, the seconds that its handler took, and the most memory that its process had."""

    result: Any
    seconds: float
    peak_bytes: int


def peak_bytes() -> int:
    """The most resident memory that this process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def run_action(lab: Lab, action: str, event: Mapping[str, Any]) -> Ran:
    """Run an action of the primary region as the account's root. Raises `RuntimeError` with what a failed one said."""
    name = f"mailark-{action.replace('_', '-')}"
    deployed = lab.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AWS_REGION": lab.primary}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, action, json.dumps(event)],
        env=environment | deployed | lab.aws.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{action} failed: {done.stderr[-2000:]}")
    line = next(each for each in done.stdout.splitlines() if each.startswith("RESULT "))
    return Ran(**json.loads(line.removeprefix("RESULT ")))


@contextmanager
def an_operation(lab: Lab, scenario: str, reason: str) -> Iterator[dict[str, Any]]:
    """An operation as actions are given it, that holds the lease on its target while the block runs."""
    target = SCENARIOS[scenario].target
    execution = f"arn:aws:states:{lab.primary}:{ACCOUNT}:execution:{machine_name(scenario)}:by-itself"
    with lab.as_root():
        lease = Leases(lab.primary, "mailark-leases").take(target, execution, lambda _: False)
    try:
        yield {
            "id": "by-itself",
            "scenario": scenario,
            "execution": execution,
            "mode": "recover",
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "lease": {"target": lease.target, "token": lease.token},
            "reason": reason,
            "user_id": "system",
        }
    finally:
        with lab.as_root():
            Leases(lab.primary, "mailark-leases").release(target, execution)
