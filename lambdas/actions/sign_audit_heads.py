"""Sign where every chain of the audit trail ends, after its new events are archived and in order."""

import base64
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.adapters.audit_trail import AuditTrail
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signing import SigningKey
from lambdas.domain.audit import EMPTY, GENESIS, End, Link
from lambdas.domain.audit_bucket import FAULTS_TOLD, Finding, broken, heads_key
from lambdas.domain.evidence import news_findings
from lambdas.domain.operation import Operation
from lambdas.domain.signed_heads import HEADS_FORMAT, Head, SignedHeads, newest_of_ours, sha256_of, verifier_of


@dataclass(frozen=True)
class SignAuditHeads:
    operation: Operation


@dataclass(frozen=True)
class AuditHeadsSigned:
    """`key` is where the document lies."""

    key: str
    chains: int


@action(SignAuditHeads)
def handler(request: SignAuditHeads, run: Run) -> AuditHeadsSigned:
    settings = run.settings
    archive = AuditArchive(settings.region, settings["AUDIT_BUCKET"])
    trail = AuditTrail(settings.region, settings["AUDIT_EVENTS_TABLE"], settings["AUDIT_HEADS_TABLE"])
    signer, now = SigningKey(settings["EVIDENCE_KEY"]), run.now()  # before anything is looked at: what comes is news
    newest, strangers = newest_of_ours(archive.newest_heads(), verifier_of(signer.public_pem()), settings.region)
    before = newest.document if newest else None
    if newest and newest.document.operation_id == request.operation.id:
        return _told(AuditHeadsSigned(newest.key, len(newest.document.heads)), newest.document)
    heads, known = trail.heads(), before.ends() if before else {}
    found: list[Finding] = []
    for scope in sorted(heads.keys() | known.keys()):
        start, end = known.get(scope, EMPTY), heads.get(scope, EMPTY)
        news = _archived(archive, trail.chain(scope, after=start[0]), end, found)
        found += news_findings(scope, news, start, end)
    document = SignedHeads(
        format=HEADS_FORMAT,
        key_id=signer.arn,
        region=settings.region,
        operation_id=request.operation.id,
        signed_at=_after(before.signed_at if before else None, now),
        previous=sha256_of(newest.raw) if newest else GENESIS,
        heads=[Head(scope, *end) for scope, end in sorted(heads.items())],
        faults=[str(finding) for finding in [*found, *strangers][:FAULTS_TOLD]],
    )
    key = heads_key(document.signed_at)
    archive.put_heads(key, _signed(document, signer).encode())
    return _told(AuditHeadsSigned(key, len(heads)), document)


def _archived(archive: AuditArchive, links: Iterable[Link], end: End, found: list[Finding]) -> Iterator[Link]:
    """The events up to a head, each archived before it is passed on; what comes later belongs to the next hour."""
    for each, kept in archive.keep_whole(itertools.takewhile(lambda each: each.sequence <= end[0], links)):
        if not kept:
            found.append(Finding(each.scope, each.sequence, f"event {each.sequence} differs from its archived copy"))
        yield each


def _told(signed: AuditHeadsSigned, document: SignedHeads) -> AuditHeadsSigned:
    """Only when it is signed: where a chain is said to end is evidence too, and other chains must not wait for it."""
    if document.faults:
        raise broken(document.faults)
    return signed


def _after(before: str | None, now: datetime) -> str:
    """When a document is signed, in whole seconds, and never before the one before it, whatever the clock says."""
    moment = now.replace(microsecond=0)
    if before is not None:
        moment = max(moment, datetime.fromisoformat(before) + timedelta(seconds=1))
    return moment.astimezone(UTC).isoformat()


def _signed(document: SignedHeads, key: SigningKey) -> SignedHeads:
    signature = base64.b64encode(key.sign(document.signed_bytes())).decode()
    return msgspec.structs.replace(document, signature=signature)
