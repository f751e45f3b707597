"""Services of Docker Compose on a host, stopped and started by SSM Run Command.

What is sent is one fixed script; only names and a directory that match a strict pattern stand in it. The tests run the
script with a stand-in for Docker, and SSM's answers are theirs: against real hosts it has not been run yet.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.aws import client, error_code, is_transient, unavailable
from lambdas.domain.estate_services import is_directory, is_service_name
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.service_errors import (
    ServiceControlRefused,
    ServiceControlUnreachable,
    ServicesNotStarted,
    ServicesNotStopped,
    ServiceUnknown,
)
from lambdas.domain.service_states import (
    FAILED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    UNKNOWN,
    is_down,
    is_up,
    together,
)

STOP_SECONDS = 120
START_SECONDS = 300
"""service-recovery-plan.md, scenario 1: two minutes to stop the services, five to start them."""

_READ_SECONDS = 30
_DELIVERY_SECONDS = 60
"""Until when the host may take a command (SSM API reference, `TimeoutSeconds`: at least 30): a late one does harm."""

_GRACE_SECONDS = 10
"""For what SSM itself takes, beside the command."""

_LEAST_SECONDS = 30
"""For one service: Docker gives it ten to end by itself, unless its `stop_grace_period` says more."""

_PAUSE_SECONDS = 1.0
_LONGEST_PROBLEM = 300
_LONGEST_LIST = 200

_STATES = {
    "created": STOPPED,
    "running": RUNNING,
    "restarting": STARTING,
    "removing": STOPPING,
    "exited": STOPPED,
    "dead": FAILED,
}
"""Docker's states of a container (`docker inspect`, State.Status); `paused` is neither up nor down."""

_UNDER_WAY = {"Pending", "InProgress", "Delayed", "Cancelling"}
_NOT_THERE = {"InvalidInstanceId", "TargetNotConnected"}

_SCRIPT = """set -eu
cd -- '{directory}'
compose='docker compose -f docker-compose.prod.yml'
known=$(timeout {read_seconds} $compose config --services)
for name in {names}; do
  if ! printf '%s\\n' "$known" | grep -qxF -- "$name"; then
    echo "unknown $name"
    printf 'known %s\\n' $known
    exit 0
  fi
done
{deed}
for name in {names}; do
  ids=$(timeout {read_seconds} $compose ps --all --quiet "$name")
  echo "service $name"
  for id in $ids; do
    status=$(timeout {read_seconds} docker inspect --format '{{{{.State.Status}}}}' "$id")
    echo "state $name $status"
  done
done
"""
_DEED = """for name in {names}; do
  timeout {seconds} $compose {verb} "$name" >&2
done"""


@dataclass(frozen=True)
class _Ended:
    """How a command ended: whether well, what it printed, and what was wrong with it."""

    good: bool
    printed: str
    problem: str


class SsmServices:
    """The Compose services in one directory of one host."""

    def __init__(
        self,
        region: str,
        instance_id: str,
        directory: str,
        stop_seconds: int = STOP_SECONDS,
        start_seconds: int = START_SECONDS,
        pause: float = _PAUSE_SECONDS,
    ) -> None:
        self._ssm: Any = client("ssm", region)
        self._control = f"SSM on {instance_id}"
        self._instance_id = instance_id
        self._directory = directory
        self._stop_seconds, self._start_seconds = stop_seconds, start_seconds
        self._pause = pause

    def states(self, names: Sequence[str]) -> dict[str, str]:
        """As `ServiceControl.states`."""
        ended = self._run("", names, 0)
        if not ended.good:
            raise self._refused("the states", ended.problem)
        return self._read(ended.printed, names)

    def stop(self, names: Sequence[str]) -> None:
        """As `ServiceControl.stop`. What ignores its signal is killed by Docker after its `stop_grace_period`."""
        deadline = time.monotonic() + self._stop_seconds
        problem = self._do("stop", names, self._stop_seconds)
        while left := {name: state for name, state in self.states(names).items() if not is_down(state)}:
            if problem or time.monotonic() >= deadline:
                raise ServicesNotStopped(services=_told(left, problem, self._stop_seconds))
            time.sleep(self._pause)

    def start(self, names: Sequence[str]) -> None:
        """As `ServiceControl.start`; containers that do not exist are not made."""
        deadline = time.monotonic() + self._start_seconds
        problem = self._do("start", names, self._start_seconds)
        while left := {name: state for name, state in self.states(names).items() if not is_up(state)}:
            given_up = any(map(is_down, left.values()))
            if problem or given_up or time.monotonic() >= deadline:
                raise ServicesNotStarted(services=_told(left, problem, self._start_seconds))
            time.sleep(self._pause)

    def _do(self, verb: str, names: Sequence[str], seconds: int) -> str:
        """Stop or start; what was wrong with the command, if anything. Raises `ServiceUnknown`."""
        share = max(_LEAST_SECONDS, seconds // max(1, len(names)))
        ended = self._run(_DEED.format(names=" ".join(names), verb=verb, seconds=share), names, share * len(names))
        if ended.good:
            self._read(ended.printed, names)
        return ended.problem

    def _read(self, printed: str, names: Sequence[str]) -> dict[str, str]:
        """The states out of what the script has printed."""
        lines = [line.split() for line in printed.splitlines()]
        if unknown := next((line[1] for line in lines if line[:1] == ["unknown"]), None):
            known = ", ".join(sorted(line[1] for line in lines if line[:1] == ["known"] and len(line) > 1))
            raise ServiceUnknown(control=self._control, name=unknown, known=known[:_LONGEST_LIST] or "none")
        told = {line[1] for line in lines if line[:1] == ["service"]}
        if not set(names) <= told:
            raise self._refused("the states", "its answer is not whole")
        return {
            name: together(_STATES.get(line[2], UNKNOWN) for line in lines if line[:2] == ["state", name])
            for name in names
        }

    def _run(self, deed: str, names: Sequence[str], seconds: int) -> _Ended:
        """Run the script on the host, with so many seconds for the deed, and wait for its end."""
        if not is_directory(self._directory) or not names or not all(map(is_service_name, names)):
            raise self._refused("a command", "a name or the directory is not one that may stand in a command")
        listed = " ".join(names)
        script = _SCRIPT.format(directory=self._directory, names=listed, deed=deed, read_seconds=_READ_SECONDS)
        allowed = seconds + _READ_SECONDS * (1 + len(names))
        command = self._send(script, allowed)
        return self._await(command, _DELIVERY_SECONDS + allowed + _GRACE_SECONDS)

    def _send(self, script: str, seconds: int) -> str:
        try:
            sent = self._ssm.send_command(
                InstanceIds=[self._instance_id],
                DocumentName="AWS-RunShellScript",
                Parameters={"commands": script.splitlines(), "executionTimeout": [str(seconds)]},
                TimeoutSeconds=_DELIVERY_SECONDS,
            )
        except (ClientError, BotoCoreError) as error:
            raise self._of_aws("a command", error) from None
        return str(sent["Command"]["CommandId"])

    def _await(self, command: str, seconds: float) -> _Ended:
        deadline = time.monotonic() + seconds
        while (answer := self._invocation(command)) is None or answer["Status"] in _UNDER_WAY:
            if time.monotonic() >= deadline:
                self._cancel(command)
                raise ServiceControlUnreachable(control=self._control, problem="the command did not end in time")
            time.sleep(self._pause)
        if answer.get("StatusDetails") in ("DeliveryTimedOut", "Undeliverable", "Terminated"):
            raise ServiceControlUnreachable(control=self._control, problem="its agent did not take the command")
        problem = ""
        if answer["Status"] != "Success":
            said = " ".join(str(answer.get("StandardErrorContent", "")).split())[-_LONGEST_PROBLEM:].rstrip(".")
            problem = f"{answer['Status']}, exit code {answer.get('ResponseCode', -1)}" + (f", {said}" if said else "")
        return _Ended(not problem, str(answer.get("StandardOutputContent", "")), problem)

    def _invocation(self, command: str) -> Any:
        """The invocation of a command; None as long as SSM does not show it, which it may not at once."""
        try:
            return self._ssm.get_command_invocation(CommandId=command, InstanceId=self._instance_id)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) == "InvocationDoesNotExist":
                return None
            raise self._of_aws("the end of a command", error) from None

    def _cancel(self, command: str) -> None:
        """Keep a command that was given up from running later."""
        try:
            self._ssm.cancel_command(CommandId=command, InstanceIds=[self._instance_id])
        except (ClientError, BotoCoreError) as error:
            raise self._of_aws("the cancelling of a command", error) from None

    def _of_aws(self, request: str, error: Exception) -> MailarkError:
        if is_transient(error):
            return unavailable(error)
        if error_code(error) in _NOT_THERE:
            return ServiceControlUnreachable(
                control=self._control, problem="SSM has no such host, or its agent is away"
            )
        return self._refused(request, error_code(error))

    def _refused(self, request: str, problem: str) -> ServiceControlRefused:
        return ServiceControlRefused(control=self._control, request=request, problem=problem)


def _told(left: dict[str, str], problem: str, seconds: int) -> str:
    services = ", ".join(f"{name} ({state})" for name, state in left.items())
    return f"{services}, given {seconds} s" + (f", {problem}" if problem else "")
