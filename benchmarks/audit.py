"""The audit trail: events written a second, and a million of them verified."""

import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

from benchmarks.figures import Figure, figure, ratio
from benchmarks.long_trail import LongTrail
from lab.lab import Lab, Progress
from lambdas.adapters.audit_trail import AuditTrail
from lambdas.adapters.aws import client
from lambdas.adapters.tables import to_item
from lambdas.domain.audit import Event, faults
from lambdas.verify_audit_trail import verify

_WRITES = 200
_WRITERS = 8
_ROUNDS = 3
_CROWD, _CROWD_WRITES = 50, 4
EVENTS = 1_000_000


def writes(lab: Lab, progress: Progress) -> list[Figure]:
    """Events appended to one chain by one writer, and to a chain each by eight, against bare puts as many at once."""
    with lab.as_root():
        trail = AuditTrail(lab.primary, "mailark-audit-events", "mailark-audit-heads")
        dynamo = client("dynamodb", lab.primary)
        run = f"bench-{time.time():.0f}"

        def append(name: str) -> None:
            event = Event(f"{run}-{name}", "benchmark", "system", "2026-11-22T02:00:00.000Z", "info", {"n": name})
            trail.append(f"bench#{name.partition('/')[0]}", event)

        def put(name: str) -> None:
            dynamo.put_item(TableName="mailark-leases", Item=to_item({"target": f"{run}-{name}"}))

        figures = []
        for writers, chains in ((1, "one chain, one writer"), (_WRITERS, f"{_WRITERS} chains, a writer each")):
            appended, bare = [], []
            for number in range(_ROUNDS):
                progress(f"Audit writes, {chains}, round {number + 1} of {_ROUNDS}")
                appended.append(_timed(append, f"a{writers}{number}", writers))
                bare.append(_timed(put, f"p{writers}{number}", writers))
            count = _WRITES * writers
            rate = f"{count / median(appended):.0f} events/s, and {count / median(bare):.0f} bare `PutItem`/s"
            figures.append(ratio(f"Audit events: {chains}", appended, bare, f"{rate} of the lab's emulator"))
        progress(f"Audit writes, one chain, {_CROWD} writers")
        return [*figures, _crowd(append, trail)]


def _crowd(append: Callable[[str], None], trail: AuditTrail) -> Figure:
    """How long an event takes that many others are written beside, all to one chain, which holds each of them once."""
    seconds: list[float] = []
    begin = threading.Barrier(_CROWD)

    def work(writer: int) -> None:
        begin.wait(60)
        for number in range(_CROWD_WRITES):
            began = time.monotonic()
            append(f"crowd/{writer}-{number}")
            seconds.append(time.monotonic() - began)

    with ThreadPoolExecutor(_CROWD) as pool:
        list(pool.map(work, range(_CROWD)))
    links, head = list(trail.chain("bench#crowd")), trail.head("bench#crowd")
    if found := faults(links, head):
        raise RuntimeError(f"the chain of {_CROWD} writers is not sound: {found}")
    if len({link.event.id for link in links}) != _CROWD * _CROWD_WRITES:
        raise RuntimeError(f"{_CROWD * _CROWD_WRITES} events were written, and {len(links)} are there")
    middle, slow = median(seconds), quantiles(seconds, n=20)[-1]
    told = f"the slowest 5 % took {slow:.1f} s and more; a function that audits has 60 s"
    return figure(f"Audit events: one chain, {_CROWD} writers at once, one event", middle, "s", told)


def _timed(write: Callable[[str], None], prefix: str, writers: int) -> float:
    def work(writer: int) -> None:
        for number in range(_WRITES):
            write(f"{prefix}-{writer}/{number}")

    with ThreadPoolExecutor(writers) as pool:
        began = time.monotonic()
        list(pool.map(work, range(writers)))
        return time.monotonic() - began


def verification(folder: Path, progress: Progress) -> list[Figure]:
    """The offline command over a million archived events, against reading and hashing the same files."""
    copy = folder / "copy"
    progress(f"Audit trail: writing {EVENTS:,} events to files")
    trail = LongTrail(EVENTS)
    trail.lay_out(copy)
    progress(f"Audit trail: reading {EVENTS:,} files, for comparison")
    bare = _read_and_hash(copy)
    progress(f"Audit trail: verifying {EVENTS:,} events")
    began = time.monotonic()
    verdict = verify(copy, trail.public_key)
    ours = time.monotonic() - began
    if verdict.findings or verdict.events != EVENTS:
        raise RuntimeError(f"{verdict.events} events with {len(verdict.findings)} findings")
    shutil.rmtree(copy)
    speed = f"reading and hashing the files ({EVENTS / ours:,.0f} events/s)"
    largest = f"{trail.chains:,} chains: {trail.largest_document / 1e6:.2f} MB an hour"
    return [
        ratio(f"The offline command `verify_audit_trail`, {EVENTS:,} events", [ours], [bare], speed),
        figure("A signed document of heads", trail.largest_document / trail.chains, "bytes a chain", largest),
    ]


def _read_and_hash(copy: Path) -> float:
    began = time.monotonic()
    for file in _files(copy):
        hashlib.sha256(file.read_bytes()).digest()
    return time.monotonic() - began


def _files(copy: Path) -> Iterator[Path]:
    for folder in sorted((copy / "events").iterdir()):
        yield from sorted(folder.iterdir())
