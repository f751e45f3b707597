"""`python -m lambdas.verify_audit_trail DIR --public-key evidence.pem`: is a copy of the audit bucket what was written?

Needs the copy and the public half of the key `evidence`; no AWS, no network. Exit code 0: sound; 1: broken; 2: it could
not be told.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lambdas.domain.audit import Link, read_link, unreadable
from lambdas.domain.audit_bucket import CHAINED, EVENTS, HEADS, LONG_AGO, NO_PLACE, SPOOL, Finding, place_of
from lambdas.domain.evidence import chain_findings
from lambdas.domain.signed_heads import History, verifier_of
from lambdas.domain.spool import Spool

SOUND, BROKEN, UNCLEAR = 0, 1, 2


@dataclass
class Verdict:
    """What was looked at, and what was found; `signed_until` is when the heads were signed last."""

    chains: int = 0
    events: int = 0
    spooled: int = 0
    documents: int = 0
    signed_until: str = ""
    findings: list[Finding] = field(default_factory=list)


class _CannotTell(Exception):
    """Why there is no verdict: a sentence of fact, and what to do."""

    def __init__(self, fact: str, cure: str) -> None:
        super().__init__(f"{fact}\nNext: {cure}")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    given = _arguments(arguments)
    try:
        verdict = verify(given.copy, _public_key(given.public_key))
    except _CannotTell as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command line tool
        return UNCLEAR
    print(_as_json(verdict) if given.json else _as_text(verdict))  # noqa: T201  # a command line tool
    return BROKEN if verdict.findings else SOUND


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lambdas.verify_audit_trail", description=__doc__)
    parser.add_argument(
        "copy",
        metavar="DIR",
        type=Path,
        help="the copy of the bucket: it holds events/ and heads/, and spool/ and chained/ if there are any",
    )
    parser.add_argument("--public-key", required=True, type=Path, help="the public half of the key evidence, in PEM")
    parser.add_argument("--json", action="store_true", help="the verdict for a program to read")
    return parser.parse_args(arguments)


def _public_key(file: Path) -> str:
    try:
        pem = file.read_text()
        verifier_of(pem)
    except (OSError, ValueError) as error:
        fact = f"The public key {file} cannot be read: {error}."
        raise _CannotTell(fact, 'Export it again; docs/operating.md, "The audit trail", has the command.') from None
    return pem


def verify(copy: Path, pem: str) -> Verdict:
    """Hold a copy of the bucket against its signed heads. Raises `_CannotTell` when parts of it are not there."""
    for folder in (HEADS, EVENTS):
        if not any((copy / folder).rglob("*.json")):
            fact = f"{copy / folder} holds nothing, and without it nothing can be told."
            raise _CannotTell(fact, 'Copy the whole bucket; docs/operating.md, "The audit trail", has the commands.')
    verdict, history = Verdict(), History(verifier_of(pem))
    for key, file in _files(copy, HEADS):
        history.add(key, file.read_bytes())
    verdict.documents, verdict.signed_until = history.documents, history.last_at
    verdict.findings += history.findings
    verdict.findings += _strangers(copy)
    spool = _spool(copy, history)
    verdict.spooled = spool.events
    folders = {_scope(copy, folder): folder for folder in (copy / EVENTS).iterdir() if folder.is_dir()}
    for scope in sorted(folders.keys() | history.signed.keys()):
        links = _counted(_links(copy, scope, folders.get(scope)), verdict, spool)
        verdict.findings += chain_findings(scope, links, history.signed.get(scope, {}))
        verdict.chains += 1
    verdict.findings += spool.findings()
    return verdict


def _strangers(copy: Path) -> Iterator[Finding]:
    for key, _ in _files(copy, EVENTS):
        if not place_of(key):
            yield Finding(key, None, NO_PLACE)


def _spool(copy: Path, history: History) -> Spool:
    """The spool of a copy. How long an event waits is told by when it happened, up to what was signed last."""
    until = datetime.fromisoformat(history.last_at) if history.last_at else LONG_AGO
    spool = Spool((key for key, _ in _files(copy, CHAINED)), until)
    for key, file in _files(copy, SPOOL):
        spool.add(key, file.read_bytes())
    return spool


def _files(copy: Path, folder: str) -> Iterator[tuple[str, Path]]:
    """The files of a folder with their keys in the bucket, in the order of their paths."""
    for file in sorted((copy / folder).rglob("*")):
        if not file.is_dir():
            yield file.relative_to(copy).as_posix(), file


def _scope(copy: Path, folder: Path) -> str:
    """The chain that a folder is of; a folder that is of none keeps its name, and none of its files is an event."""
    place = place_of(f"{folder.relative_to(copy).as_posix()}/{0:012}.json")
    return place[0] if place else folder.name


def _links(copy: Path, scope: str, folder: Path | None) -> Iterator[Link]:
    for file in sorted(folder.iterdir()) if folder else ():
        place = place_of(file.relative_to(copy).as_posix())
        if place is None:
            continue
        sequence = place[1]
        try:
            each = read_link(file.read_bytes())
        except ValueError:
            each = unreadable(scope, sequence)
        yield dataclasses.replace(each, sequence=sequence)  # the hash of one that lies in another's place fits no more


def _counted(links: Iterator[Link], verdict: Verdict, spool: Spool) -> Iterator[Link]:
    for each in links:
        verdict.events += 1
        spool.come_by(each.scope, each.event)
        yield each


# --- the verdict ------------------------------------------------------------------------------------------


def _as_json(verdict: Verdict) -> str:
    return json.dumps({"sound": not verdict.findings} | dataclasses.asdict(verdict), indent=2, ensure_ascii=False)


def _as_text(verdict: Verdict) -> str:
    looked = (
        f"{verdict.chains} chains with {verdict.events} events, {verdict.spooled} spooled events, and "
        f"{verdict.documents} documents of signed heads, the last of {verdict.signed_until or 'no time'}"
    )
    if not verdict.findings:
        return f"SOUND: {looked}.\nWhat was appended after that time is in order too, and not signed yet."
    width = max(len(finding.where) for finding in verdict.findings)
    rows = [f"{finding.where:<{width}}  {finding.problem}" for finding in verdict.findings]
    return "\n".join([f"BROKEN: {len(rows)} findings in {looked}.", "", *rows])


if __name__ == "__main__":
    sys.exit(main())
