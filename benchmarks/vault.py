"""A backup and a restore of 10,000 secrets against `bao operator raft snapshot`, and what Step Functions adds."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import hvac

from benchmarks.figures import Figure, figure, ratio
from infra.names import key_alias
from infra.permissions import ACTIONS
from lab.actions import an_operation, run_action
from lab.aws import ACCOUNT, ROOT
from lab.lab import Lab, Progress
from lab.tenants import make_tenants
from lab.watching import Finished, follow, start
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import await_restored, find_leader
from lambdas.domain.vault_duties import Duty, claims

_SECRETS = 10_000
_ROUNDS = 5
_WITHIN = 1.5
"""Times as long as the bare command may take: the issue's goal for a restore."""


def vault(lab: Lab, progress: Progress) -> list[Figure]:
    """Measure, in interleaved rounds, on the lab's own Vault."""
    progress(f"Vault: storing {_SECRETS:,} secrets")
    for _ in lab.platform().store(make_tenants(_SECRETS)):
        pass
    progress("Vault: a whole backup")
    whole = _executed(lab, "vault_backup", {"reason": "benchmark"})
    file = lab.folder / "benchmark.snap"
    same = _plaintext(lab, whole.output["details"]["backup_id"])
    saved: list[float] = []
    taken: list[float] = []
    for number in range(_ROUNDS):
        progress(f"Vault: snapshots, round {number + 1} of {_ROUNDS}")
        saved.append(_bao(lab, Duty("backup"), "save", file))
        with an_operation(lab, "vault_backup", "benchmark") as operation:
            taken.append(run_action(lab, "take_vault_snapshot", {"operation": operation}).seconds)
    file.write_bytes(same)
    restored, ours = [], []
    for number in range(_ROUNDS):
        progress(f"Vault: restores, round {number + 1} of {_ROUNDS}")
        restored.append(_bao_restore(lab, file))
        with an_operation(lab, "vault_restore", "benchmark") as operation:
            event = {"operation": operation, "backup_id": whole.output["details"]["backup_id"]}
            ours.append(run_action(lab, "restore_vault_snapshot", event).seconds)
    progress("Vault: a whole recovery")
    recovery = _executed(lab, "vault_restore", {"reason": "benchmark"})
    file_size = f"{_SECRETS:,} secrets, {file.stat().st_size / 1e6:.0f} MB"
    return [
        ratio(
            f"Snapshot to a stored, encrypted backup ({file_size})",
            taken,
            saved,
            "`bao operator raft snapshot save` to a file (the start of a process in it, and in ours a login)",
            _WITHIN,
        ),
        ratio(
            f"Restore of {_SECRETS:,} secrets, until Vault serves them",
            ours,
            restored,
            "`bao operator raft snapshot restore` of the same file (likewise)",
            _WITHIN,
        ),
        _overhead(lab, "the backup", whole),
        _overhead(lab, "the recovery", recovery),
    ]


def _plaintext(lab: Lab, backup_id: str) -> bytes:
    """The snapshot in a backup."""
    with lab.as_root():
        row = Catalog(lab.primary, "mailark-catalog").get(backup_id)
        store = BackupStore(lab.primary, f"mailark-backups-{ACCOUNT}-{lab.primary}")
        key = lab.client("kms").describe_key(KeyId=key_alias("backup"))["KeyMetadata"]["Arn"]
        return b"".join(Envelope(key).open(store.read(row), {}))


def _executed(lab: Lab, scenario: str, given: dict[str, str]) -> Finished:
    states = lab.client("stepfunctions")
    finished = follow(states, start(states, scenario, lab.primary, given))
    if finished.status != "SUCCEEDED":
        raise RuntimeError(f"{scenario} failed: {finished.cause}")
    return finished


def _overhead(lab: Lab, name: str, finished: Finished) -> Figure:
    """The execution's time less what its actions say that they took."""
    about = lab.client("stepfunctions").describe_execution(executionArn=finished.arn)
    total = (about["stopDate"] - about["startDate"]).total_seconds()
    actions = sum(_logged_seconds(lab, finished.arn.rpartition(":")[2]))
    against = f"execution of {total:.1f} s in the lab, of which actions worked for {actions:.1f} s"
    return figure(f"Orchestration of {name}: its share", (total - actions) / total, "", against)


def _logged_seconds(lab: Lab, operation_id: str) -> Iterator[float]:
    """What each action of an operation has logged at its end."""
    logs = lab.client("logs")
    for action in ACTIONS:
        group = f"/aws/lambda/mailark-{action.replace('_', '-')}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in (event for page in pages for event in page["events"]):
            with contextlib.suppress(ValueError):
                line = json.loads(event["message"])
                if (line.get("message"), line.get("correlation_id")) == ("action done", operation_id):
                    yield float(line["seconds"])


# --- the bare command -----------------------------------------------------------------------------------


def _token(lab: Lab, duty: Duty) -> str:
    """A login as the command would have it; a restore ends it, so each command gets its own."""
    with lab.as_root():
        arn = lab.client("kms").describe_key(KeyId=key_alias(f"vault-{duty.name}"))["KeyMetadata"]["Arn"]
        jwt = SigningKey(arn).jwt(claims(duty, int(time.time())))
    client = hvac.Client(url=lab.vault.address, verify=str(lab.authority.file), timeout=10)
    return str(client.auth.jwt.jwt_login(role=duty.title, jwt=jwt, path=duty.title)["auth"]["client_token"])


def _bao(lab: Lab, duty: Duty, deed: str, file: Path) -> float:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(lab.folder),
        "BAO_ADDR": lab.vault.address,
        "BAO_CACERT": str(lab.authority.file),
        "BAO_TOKEN": _token(lab, duty),
    }
    command = [str(ROOT / ".venv" / "bin" / "bao"), "operator", "raft", "snapshot", deed, str(file)]
    began = time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    return time.monotonic() - began


def _bao_restore(lab: Lab, file: Path) -> float:
    """Seconds until Vault serves again, which is some time after the command has ended."""
    before = find_leader(lab.estate.vault)
    seconds = _bao(lab, Duty("restore"), "restore", file)
    began = time.monotonic()
    await_restored(lab.estate.vault, before.address, before.active_time, 60)
    return seconds + time.monotonic() - began
