"""Hold every chain of the audit trail against its head, all signed heads and the archive; change nothing."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.adapters.audit_trail import AuditTrail
from lambdas.adapters.lambda_handler import Run, action, logger
from lambdas.adapters.signing import SigningKey
from lambdas.domain.audit import Link
from lambdas.domain.audit_bucket import CHAINED, EVENTS, HEADS, SPOOL, Finding, broken, kept_findings
from lambdas.domain.evidence import trail_findings
from lambdas.domain.operation import Operation
from lambdas.domain.signed_heads import History, verifier_of
from lambdas.domain.spool import Spool

_MOST = 100
_SIGNED_EVERY = timedelta(hours=1)
_LATE = timedelta(hours=1)


@dataclass(frozen=True)
class VerifyAuditTrail:
    operation: Operation


@dataclass(frozen=True)
class AuditTrailVerified:
    """How much was found to be as it was written; `signed_until` is when its heads were signed last."""

    chains: int
    documents: int
    signed_until: str


@action(VerifyAuditTrail)
def handler(request: VerifyAuditTrail, run: Run) -> AuditTrailVerified:
    settings = run.settings
    archive = AuditArchive(settings.region, settings["AUDIT_BUCKET"])
    trail = AuditTrail(settings.region, settings["AUDIT_EVENTS_TABLE"], settings["AUDIT_HEADS_TABLE"])
    # First what was signed, then what is there: all that a document speaks of was in the table and the archive before.
    # First the marks and the ids, then the chains: what was marked before has its event by now.
    history = History(verifier_of(SigningKey(settings["EVIDENCE_KEY"]).public_pem()), settings.region)
    for key, document in archive.all_heads():
        history.add(key, document)
    spool = Spool(archive.marks(), run.now())
    for kept, raw in archive.all_spooled():
        spool.add(kept.key, raw, kept.put_at)
    known = trail.known_ids()
    scopes = trail.heads().keys() | history.signed.keys() | archive.scopes()

    def findings() -> Iterator[Finding]:
        yield from history.findings
        yield from kept_findings(itertools.chain.from_iterable(map(archive.kept, (HEADS, EVENTS, SPOOL, CHAINED))))
        yield from _late(history.last_at or _oldest(trail, scopes), run.now())
        for scope in sorted(scopes):
            yield from _of_chain(scope, trail, archive, history, known.pop(scope, set()), spool)
        for scope, ids in sorted(known.items()):
            yield from _without_event(scope, ids)
        yield from spool.findings()

    found = list(itertools.islice(findings(), _MOST + 1))
    for finding in found:
        logger.error("audit trail broken", where=finding.where, sequence=finding.sequence, problem=finding.problem)
    if found:
        raise broken(found[:_MOST], more=len(found) > _MOST)
    return AuditTrailVerified(len(scopes), history.documents, history.last_at)


def _of_chain(
    scope: str, trail: AuditTrail, archive: AuditArchive, history: History, ids: set[str], spool: Spool
) -> Iterator[Finding]:
    reading = trail.chain_until_head(scope)

    def links() -> Iterator[Link]:
        for each in reading.links():
            ids.discard(each.event.id)
            spool.come_by(scope, each.event)
            yield each

    yield from trail_findings(
        scope,
        links(),
        lambda: reading.head,
        history.signed.get(scope, {}),
        archive.copies(scope),
        lambda sequence: trail.has(scope, sequence),
    )
    yield from _without_event(scope, ids)


def _without_event(scope: str, ids: Iterable[str]) -> Iterator[Finding]:
    """An id is written together with its event; one that somebody planted keeps its event from being appended."""
    for each in sorted(ids):
        yield Finding(scope, None, f"the id {each} is marked as appended, and no event of the chain has it")


def _late(since: str, now: datetime) -> Iterator[Finding]:
    """A document that is missing at the end has none after it that would show it."""
    if since and now - datetime.fromisoformat(since) > _SIGNED_EVERY + _LATE:
        yield Finding(HEADS, None, f"no heads were signed since {since}, and they are every hour")


def _oldest(trail: AuditTrail, scopes: Iterable[str]) -> str:
    """When the first event of all happened: from then on, heads had to be signed."""
    firsts = (each.event.timestamp for scope in scopes for each in itertools.islice(trail.chain(scope), 1))
    return min(firsts, default="")
