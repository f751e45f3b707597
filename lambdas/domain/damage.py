"""What an assessment of a database found, as data small enough for a state, and the verdict that it comes to."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lambdas.domain.database_errors import DatabaseSound, OnlyIndexesDamaged

Check = Literal[
    "connection",
    "settings",
    "log",
    "checksums",
    "files",
    "index files",
    "indexes",
    "tables",
    "table pages",
    "index pages",
]
Status = Literal["damaged", "not assessed", "noted", "skipped", "sound"]
Verdict = Literal["sound", "damaged", "unreachable", "not assessed"]

MOST_FINDINGS = 100
_MOST_CHARACTERS = 130
"""Of a relation (two names of 63 bytes) and of a problem: some 25 KB in all, 165 KB at worst; a state holds 256 KiB."""

_ORDER: tuple[Status, ...] = ("damaged", "not assessed", "noted", "skipped", "sound")
_OF_INDEXES: frozenset[Check] = frozenset({"index files", "indexes", "index pages"})

_NOT_ASSESSED = {
    "57014": "it was not read to its end in the time that there was",
    "55P03": "another session has locked it",
    "42501": "the role may not read it",
    "25P03": "the server ended the session",
}
_NOTABLE = re.compile(r"XX...|58...|53[12]00")
_KNOWN = re.compile(
    r"invalid page in block \d+ of relation [\w/.]+"
    r"|page verification failed, calculated checksum \d+ but expected \d+"
    r'|could not (?:read|write|open|fsync|extend|access|stat) (?:blocks? [\d.]+ in )?file "[\w/.]+"'
    r"|could not access status of transaction \d+"
    r"|(?:missing|unexpected) chunk number \d+[\w ()]* for toast value \d+ in pg_toast_\d+"
    r"|invalid memory alloc request size \d+"
    r"|compressed \w+ data is corrupt"
    r"|No space left on device"
)
"""What the server says of damage, in words that never hold a row's values or a statement."""


@dataclass(frozen=True)
class Finding:
    """One check of one relation (None: of the database). `noted` is worth knowing, and decides nothing."""

    check: Check
    status: Status
    relation: str | None
    problem: str


@dataclass(frozen=True)
class Assessment:
    """The verdict, and at most `MOST_FINDINGS` of what it rests on, the worst first; `left_out` says how many more.

    `counts` has the number of relations or checks by status, all of them counted. `only_indexes`: what is damaged can
    be built anew by REINDEX from tables that are sound, and no backup is needed.
    """

    verdict: Verdict
    findings: list[Finding]
    counts: dict[Status, int]
    left_out: int
    only_indexes: bool


def assess(findings: Iterable[Finding], *, reached: bool = True) -> Assessment:
    """Draw the verdict. What was not read is never sound: without damage the verdict is `not assessed` then."""
    found = list(findings)
    counts = Counter(finding.status for finding in found)
    damaged = [finding for finding in found if finding.status == "damaged"]
    verdict: Verdict = "sound"
    if not reached:
        verdict = "unreachable"
    elif damaged:
        verdict = "damaged"
    elif counts["not assessed"]:
        verdict = "not assessed"
    told = sorted(_folded(found), key=lambda finding: _ORDER.index(finding.status))
    return Assessment(
        verdict,
        [_short(finding) for finding in told[:MOST_FINDINGS]],
        {status: counts[status] for status in _ORDER if counts[status]},
        max(0, len(told) - MOST_FINDINGS),
        verdict == "damaged"
        and all(finding.check in _OF_INDEXES for finding in damaged)
        and not counts["not assessed"],
    )


def unreadable_tables(assessment: Assessment) -> list[str]:
    """The tables (`schema.name`) whose rows cannot be read to the end, which a dump has to leave out; no catalogs."""
    damaged = [each for each in assessment.findings if (each.check, each.status) == ("tables", "damaged")]
    return [each.relation for each in damaged if each.relation and not each.relation.startswith("pg_catalog.")]


def refuse_without_need(database: str, assessment: Assessment) -> None:
    """Raise `DatabaseSound` or `OnlyIndexesDamaged` where a restore would lose rows for nothing."""
    if assessment.verdict in ("sound", "not assessed"):
        unread = assessment.counts.get("not assessed", 0)
        raise DatabaseSound(database=database, read=assessment.counts.get("sound", 0), unread=unread)
    if assessment.only_indexes:
        indexes = sorted({each.relation for each in assessment.findings if each.status == "damaged" and each.relation})
        raise OnlyIndexesDamaged(database=database, indexes=", ".join(indexes[:10]))


def finding_of(check: Check, relation: str | None, state: str, message: str) -> Finding:
    """What an error of the server says of the relation that was being read. `state` is its SQLSTATE."""
    if state == "42501" and relation and relation.startswith("pg_catalog."):
        return Finding(check, "skipped", relation, "superusers alone may read it")
    if state in _NOT_ASSESSED:
        return Finding(check, "not assessed", relation, _NOT_ASSESSED[state])
    # A value that cannot be written out (22) is as lost as one that cannot be read (XX, 58).
    status: Status = "damaged" if state[:2] in ("XX", "58", "22") else "not assessed"
    return Finding(check, status, relation, told(state, message))


def told(state: str, message: str) -> str:
    """An error in words that hold nothing private: its SQLSTATE, and its text as far as it is about storage."""
    if state[:2] == "58" or state in ("XX001", "XX002", "53100"):
        return f"{state}: {message}"
    known = _KNOWN.search(message)
    return f"{state}: {known[0]}" if known else f"the server refused it ({state})"


def is_notable(severity: str, state: str, message: str) -> bool:
    """Whether a line of the server's log may tell of damage. `state` is empty where the log has none."""
    if severity == "PANIC":
        return True
    return severity in ("FATAL", "ERROR") and bool(_NOTABLE.fullmatch(state) if state else _KNOWN.search(message))


def logged(severity: str, state: str, message: str) -> str:
    """A line of the log, without whatever of its text may be private."""
    known = _KNOWN.search(message)
    return " ".join(part for part in (severity, state, f"({known[0]})" if known else "") if part)


def _folded(findings: list[Finding]) -> list[Finding]:
    """The findings, those that are sound as one a check: how many relations they are is enough."""
    sound = Counter(finding.check for finding in findings if finding.status == "sound" and finding.relation)
    rest = [finding for finding in findings if finding.status != "sound" or not finding.relation]
    return [*rest, *(Finding(check, "sound", None, f"{count} found sound") for check, count in sound.items())]


def _short(finding: Finding) -> Finding:
    relation = finding.relation and finding.relation[:_MOST_CHARACTERS]
    return Finding(finding.check, finding.status, relation, " ".join(finding.problem.split())[:_MOST_CHARACTERS])
