"""The lab's log agent on the emulated CloudWatch Logs: no line is lost that it could keep, and it makes no group."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lab.aws import ROOT_KEY
from lab.certificates import CertificateAuthority
from lab.gate import Call, Fault, Gate
from lab.log_shipper import LogShipper
from lab.processes import free_port
from tests.lab.emulator import Emulator
from tests.lab.waiting import until

REGION = "eu-central-1"


class Watched:
    """A real client of CloudWatch Logs, and the batches that went through it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.batches: list[list[dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_log_events(self, **given: Any) -> Any:
        self.batches.append(given["logEvents"])
        return self._client.put_log_events(**given)


@pytest.fixture
def group() -> str:
    """A name that no group has."""
    return f"/mailark/{secrets.token_hex(6)}"


@pytest.fixture
def logs(emulator: Emulator) -> Any:
    return emulator.client("logs", REGION)


@pytest.fixture
def client(emulator: Emulator) -> Watched:
    """The agent's own, which it closes."""
    return Watched(super(Emulator, emulator).client("logs", REGION))


def _lines(logs: Any, group: str, stream: str) -> list[str]:
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        if not page["events"]:
            return found
        found += [event["message"] for event in page["events"]]
        token = {"nextToken": page["nextForwardToken"]}


def _streams(logs: Any, group: str) -> list[str]:
    return [each["logStreamName"] for each in logs.describe_log_streams(logGroupName=group)["logStreams"]]


def test_lines_reach_their_streams_in_their_order_within_seconds(logs: Any, client: Watched, group: str) -> None:
    logs.create_log_group(logGroupName=group)
    with LogShipper(client, group).running() as shipper:
        for number in range(50):
            shipper.take(f"tenant-{number % 2}/admin", f"line {number} ✉")
        until(lambda: not shipper.waiting, "nothing waits", 10)
        until(lambda: len(_streams(logs, group)) == 2, "both streams are there", 10)
        until(lambda: sum(len(_lines(logs, group, each)) for each in _streams(logs, group)) == 50, "all are there", 10)
    for tenant in range(2):
        wanted = [f"line {number} ✉" for number in range(tenant, 50, 2)]
        assert _lines(logs, group, f"tenant-{tenant}/admin") == wanted


def test_what_was_taken_just_before_the_end_is_shipped(logs: Any, client: Watched, group: str) -> None:
    logs.create_log_group(logGroupName=group)
    wanted = [f"line {number}" for number in range(3500)]
    with LogShipper(client, group).running() as shipper:
        for line in wanted:
            shipper.take("vault", line)
    assert (shipper.waiting, shipper.dropped) == (0, 0)
    assert _lines(logs, group, "vault") == wanted


def test_a_group_is_waited_for_and_never_made(logs: Any, client: Watched, group: str) -> None:
    with LogShipper(client, group).running() as shipper:
        shipper.take("vault", "before there is a group")
        until(lambda: "ResourceNotFoundException" in shipper.problem, "it has met no group", 10)
        assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
        assert shipper.waiting == 1
        logs.create_log_group(logGroupName=group)
        until(lambda: not shipper.waiting, "nothing waits", 10)
        until(lambda: _streams(logs, group) == ["vault"], "the stream is there", 10)
        until(lambda: _lines(logs, group, "vault") == ["before there is a group"], "the line is there", 10)


def test_a_group_that_is_made_anew_gets_its_streams_again(logs: Any, client: Watched, group: str) -> None:
    logs.create_log_group(logGroupName=group)
    with LogShipper(client, group).running() as shipper:
        shipper.take("vault", "into the first")
        until(lambda: _streams(logs, group) == ["vault"], "the stream is there", 10)
        until(lambda: not shipper.waiting, "nothing waits", 10)
        logs.delete_log_group(logGroupName=group)
        logs.create_log_group(logGroupName=group)
        shipper.take("vault", "into the second")
    assert _lines(logs, group, "vault") == ["into the second"]


def test_without_a_group_it_ends_soon_and_says_what_is_left(client: Watched, group: str) -> None:
    began = time.monotonic()
    with LogShipper(client, group).running() as shipper:
        shipper.take("vault", "for nobody")
    assert time.monotonic() - began < 3
    assert shipper.waiting == 1
    assert "ResourceNotFoundException" in shipper.problem


def test_of_too_many_that_wait_the_oldest_are_dropped_and_counted(logs: Any, client: Watched, group: str) -> None:
    with LogShipper(client, group, held=10).running() as shipper:
        shipper.take("quiet", "the only one")
        for number in range(25):
            shipper.take("loud", f"line {number}")
        until(lambda: shipper.problem, "it has met no group", 10)
        assert (shipper.waiting, shipper.dropped) == (11, 15)
        logs.create_log_group(logGroupName=group)
    assert _lines(logs, group, "quiet") == ["the only one"]
    assert _lines(logs, group, "loud") == [f"line {number}" for number in range(15, 25)]


def test_a_batch_is_no_larger_than_aws_takes(logs: Any, client: Watched, group: str) -> None:
    """CloudWatch Logs, PutLogEvents: 1,048,576 bytes with 26 for each event, at most 10,000 events."""
    logs.create_log_group(logGroupName=group)
    with LogShipper(client, group).running() as shipper:
        for _ in range(9):
            shipper.take("vault", "é" * 150_000)
        shipper.take("vault", "x" * 2_000_000)
        for number in range(12_000):
            shipper.take("vault", f"{number}")
    sizes = [sum(len(event["message"].encode()) + 26 for event in batch) for batch in client.batches]
    assert max(sizes) <= 1_048_576
    assert max(map(len, client.batches)) <= 10_000
    assert sum(map(len, client.batches)) == 12_010
    times = [event["timestamp"] for batch in client.batches for event in batch]
    assert times == sorted(times)


def test_a_file_is_followed_from_its_beginning_by_whole_lines(
    logs: Any, client: Watched, group: str, tmp_path: Path
) -> None:
    logs.create_log_group(logGroupName=group)
    file = tmp_path / "audit.log"
    with LogShipper(client, group).running() as shipper:
        shipper.follow(file, "vault")
        with file.open("a") as writer:
            writer.write('{"time": 1}\n{"ti')
            writer.flush()
            until(lambda: "vault" in _streams(logs, group), "the stream is there", 10)
            until(lambda: _lines(logs, group, "vault") == ['{"time": 1}'], "the whole line is there", 10)
            writer.write('me": 2}\n\n')
            writer.flush()
            until(lambda: len(_lines(logs, group, "vault")) == 2, "the rest of the second is there", 10)
            writer.write("".join(f"{number}\n" for number in range(4000)))
    wanted = ['{"time": 1}', '{"time": 2}', *(str(number) for number in range(4000))]
    assert _lines(logs, group, "vault") == wanted


def test_of_a_file_nothing_is_dropped_however_long_there_is_no_group(
    logs: Any, client: Watched, group: str, tmp_path: Path
) -> None:
    file = tmp_path / "audit.log"
    file.write_text("".join(f"{number}\n" for number in range(5000)))
    with LogShipper(client, group, held=2000).running() as shipper:
        shipper.follow(file, "vault")
        until(lambda: shipper.problem, "it has met no group", 10)
        assert 0 < shipper.waiting < 2000
        logs.create_log_group(logGroupName=group)
    assert shipper.dropped == 0
    assert _lines(logs, group, "vault") == [str(number) for number in range(5000)]


@pytest.fixture
def gate(emulator: Emulator, authority: CertificateAuthority) -> Iterator[Gate]:
    with Gate(emulator, authority.issue("gate-of-the-log-agent"), free_port()).open() as gate:
        yield gate


def test_while_aws_does_not_answer_lines_wait(logs: Any, emulator: Emulator, gate: Gate, group: str) -> None:
    logs.create_log_group(logGroupName=group)
    through_gate = boto3.client(
        "logs",
        region_name=REGION,
        endpoint_url=gate.endpoint,
        verify=str(emulator.ca),
        aws_access_key_id=ROOT_KEY,
        aws_secret_access_key=ROOT_KEY,
        config=Config(retries={"total_max_attempts": 1}),
    )
    with LogShipper(through_gate, group).running() as shipper:
        with gate.fault(Fault(_puts)) as refused:
            shipper.take("vault", "first")
            until(lambda: len(refused) >= 2, "it was tried twice", 10)
            shipper.take("vault", "second")
        until(lambda: not shipper.waiting, "nothing waits", 10)
    assert _lines(logs, group, "vault") == ["first", "second"]


def _puts(call: Call) -> bool:
    return call.target.endswith("PutLogEvents")
