"""The status for people and for programs: the same report as a text for a terminal, or as plain data for JSON."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambdas.domain.status import Report
from lambdas.domain.status_checks import Check, Verdict
from lambdas.domain.status_facts import Ran
from lambdas.domain.timeline import in_words

_WORDS: dict[Verdict, str] = {"good": "GOOD", "not good": "NOT GOOD", "unknown": "UNKNOWN", "skipped": "SKIPPED"}
_COLOURS: dict[Verdict, str] = {"good": "32", "not good": "31", "unknown": "33", "skipped": "2"}
_DAY = 24 * 3600
_NEWEST = 10


def as_data(report: Report, *, every_backup: bool) -> dict[str, Any]:
    """The report as plain data, with its verdict; times are RFC 3339, ages and durations in seconds."""
    data: dict[str, Any] = msgspec.to_builtins(report)
    data["backups"] = data["backups"] if every_backup else data["backups"][:_NEWEST]
    data["backups_in_all"] = len(report.backups)
    for shown, row in zip(data["backups"], report.backups, strict=False):
        shown["age_seconds"] = round(_since(row.started_at, report.at))
    return {"verdict": report.verdict} | data


def as_text(report: Report, *, every_backup: bool, colour: bool) -> str:
    """The report as lines for a terminal."""
    return "\n".join(_lines(report, every_backup, colour)) + "\n"


def _lines(report: Report, every_backup: bool, colour: bool) -> Iterator[str]:
    word = _word(report.verdict, colour)
    yield f"{report.estate}: {word}   {_moment(report.at)}, the estate as {report.read_from} has it"
    yield ""
    yield "Regions"
    silent = {check.region for check in report.checks if check.name == "region"}
    for region, role in report.roles.items():
        yield f"  {region:<16} {role:<8} {'does not answer' if region in silent else 'answers'}"
    yield ""
    shown = report.backups if every_backup else report.backups[:_NEWEST]
    more = (
        f", the newest {len(shown)} of {len(report.backups)}; --all shows every one" if shown != report.backups else ""
    )
    yield f"Backups in {report.region}{more}"
    yield from _table(
        ("ID", "AGE", "SIZE", "PROOF", "COPY"),
        [(row.id, _age(row.started_at, report.at), _size(row.size), row.proof, row.copy) for row in shown],
    )
    yield ""
    yield f"Last runs in {report.region}"
    for each in report.ran:
        yield from _ran(each, report.at)
    if not report.ran:
        yield "  none"
    if report.tested and report.tested.rto and report.tested.rpo:
        rto, rpo = report.tested.rto, report.tested.rpo
        yield (
            f"  The last restore test of a fresh backup took {in_words(rto.measured)} of {in_words(rto.objective)}, "
            f"and its data was {in_words(rpo.measured)} old ({in_words(rpo.objective)} promised)."
        )
    yield ""
    yield f"Running now in {report.region}"
    for lease in report.leases:
        yield f"  {lease.target}, since {_old(lease.since.isoformat(), report.at)}: {lease.owner}"
    if not report.leases:
        yield "  nothing"
    yield ""
    yield "Checks"
    for check in report.checks:
        yield from _check(check, colour)


def _ran(each: Ran, at: datetime) -> Iterator[str]:
    ended = f", ended {_old(each.ended_at, at)} ago" if each.ended_at else f", started {_old(each.started_at, at)} ago"
    who = f" ({each.reason}, {each.user_id})" if each.reason else ""
    yield f"  {each.scenario:<20} {each.status}{ended}{who}"
    if each.code:
        yield f"  {'':<20} {each.code}: {each.sentence}"
        yield f"  {'':<20} Next: {each.hint}"


def _check(check: Check, colour: bool) -> Iterator[str]:
    yield f"  {_word(check.verdict, colour, 8)}  {check.name:<16} {check.region or '':<16} {check.said}"
    if check.hint:
        yield f"  {'':<8}  Next: {check.hint}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        yield "  none"
        return
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        yield ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()


def _word(verdict: Verdict, colour: bool, width: int = 0) -> str:
    word = _WORDS[verdict].ljust(width)
    return f"\x1b[{_COLOURS[verdict]}m{word}\x1b[0m" if colour else word


def _since(moment: str, at: datetime) -> float:
    return (at - datetime.fromisoformat(moment)).total_seconds()


def _age(moment: str, at: datetime) -> str:
    """The age of a backup: one that is dated in the future has none."""
    return "ahead" if _since(moment, at) < 0 else _old(moment, at)


def _old(moment: str, at: datetime) -> str:
    """An age in words; from three days on in days."""
    seconds = max(0.0, _since(moment, at))
    return in_words(seconds) if seconds < 3 * _DAY else f"{seconds // _DAY:.0f} days"


def _size(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 10 else f"{amount:.1f} {unit}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
