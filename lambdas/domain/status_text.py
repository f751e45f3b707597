"""The status for people and for programs: the same report as a text for a terminal, or as plain data for JSON."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec

from lambdas.domain.ages import age_in_words
from lambdas.domain.backup import CatalogRow
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.status import Report
from lambdas.domain.status_check import Check, Verdict
from lambdas.domain.status_facts import Ran, RestoreTested
from lambdas.domain.timeline import in_words

_WORDS: dict[Verdict, str] = {"good": "GOOD", "not good": "NOT GOOD", "unknown": "UNKNOWN", "skipped": "SKIPPED"}
_COLOURS: dict[Verdict, str] = {"good": "32", "not good": "31", "unknown": "33", "skipped": "2"}
_NEWEST = 10
"""How many backups of a kind are shown."""

_NAME = max(map(len, SCENARIOS))


def as_data(report: Report, *, every_backup: bool) -> dict[str, Any]:
    """The report as plain data, with its verdict; times are RFC 3339, ages and durations in seconds.

    Of the backups these are the newest of each kind, or every one; `backups_in_all` counts them by kind.
    """
    data: dict[str, Any] = msgspec.to_builtins(report)
    by_kind = _by_kind(report)
    shown = {row.id for row in chain.from_iterable(_shown(rows, every_backup) for rows in by_kind.values())}
    ages = {row.id: round(_since(row.started_at, report.at)) for row in report.backups}
    data["backups"] = [row | {"age_seconds": ages[row["id"]]} for row in data["backups"] if row["id"] in shown]
    data["backups_in_all"] = {kind: len(rows) for kind, rows in by_kind.items()}
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
    for kind, rows in _by_kind(report).items():
        shown = _shown(rows, every_backup)
        more = f", the newest {len(shown)} of {len(rows)}; --all shows every one" if shown != rows else ""
        yield f"{kind.capitalize()} backups in {report.region}{more}"
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
    for kind, tested in report.tested.items():
        yield from _tested(kind, tested)
    yield ""
    yield f"Running now in {report.region}"
    for lease in report.leases:
        yield f"  {lease.target}, since {_old(lease.since.isoformat(), report.at)}: {lease.owner}"
    if not report.leases:
        yield "  nothing"
    yield ""
    yield "Waiting for a person"
    yield from _waiting(report)
    yield ""
    yield "Checks"
    for check in report.checks:
        yield from _check(check, colour)


def _by_kind(report: Report) -> dict[str, list[CatalogRow]]:
    """The backups of each kind that the estate has, and of those that it had once."""
    kinds = dict.fromkeys([ages.kind for ages in report.ages] + [row.kind for row in report.backups])
    return {kind: [row for row in report.backups if row.kind == kind] for kind in kinds}


def _shown(rows: list[CatalogRow], every_backup: bool) -> list[CatalogRow]:
    return rows if every_backup else rows[:_NEWEST]


def _tested(kind: str, tested: RestoreTested | None) -> Iterator[str]:
    if tested and tested.rto and tested.rpo:
        rto, rpo = tested.rto, tested.rpo
        yield (
            f"  The last restore test of a fresh {kind} backup took {in_words(rto.measured)} of "
            f"{in_words(rto.objective)}, and its data was {in_words(rpo.measured)} old "
            f"({in_words(rpo.objective)} promised)."
        )


def _ran(each: Ran, at: datetime) -> Iterator[str]:
    ended = f", ended {_old(each.ended_at, at)} ago" if each.ended_at else f", started {_old(each.started_at, at)} ago"
    who = f" ({each.reason}, {each.user_id})" if each.reason else ""
    yield f"  {each.scenario:<{_NAME}} {each.status}{ended}{who}"
    if each.code:
        yield f"  {'':<{_NAME}} {each.code}: {each.sentence}"
        yield f"  {'':<{_NAME}} Next: {each.hint}"


def _waiting(report: Report) -> Iterator[str]:
    for each in report.waiting:
        approval = each.approval
        until = _moment(datetime.fromisoformat(approval.expires_at))
        yield f"  {approval.id}  {approval.scenario} in {each.region}, until {until}: {approval.asks}, on {approval.on}"
        yield f"  {'':<{len(approval.id)}}  Next: {each.decide} (or refuse; first look at it: show)"
    if not report.waiting:
        untold = any(check.name == "approvals" and check.verdict == "unknown" for check in report.checks)
        yield "  not known" if untold else "  nothing"


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
    return age_in_words(max(0.0, _since(moment, at)))


def _size(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 10 else f"{amount:.1f} {unit}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
