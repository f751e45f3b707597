"""The locked audit bucket: what is put once stays as it was put, and listings tell what lies there."""

import dataclasses

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.audit_archive import AuditArchive, Spooled
from lambdas.domain.audit import encode_link
from lambdas.domain.evidence import Copy, _md5, event_key
from tests.domain.trail import a_trail
from tests.servers.aws import PRIMARY, aws, refused
from tests.servers.buckets import make_bucket

VAULT, TENANT = "platform#vault", "tenant#1/ä"
BUCKET = f"audit-{PRIMARY}"

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def archive() -> AuditArchive:
    make_bucket(name="audit")
    return AuditArchive(PRIMARY, BUCKET)


def _versions(key: str) -> list[bytes]:
    found = aws("s3").list_object_versions(Bucket=BUCKET, Prefix=key).get("Versions", [])
    bodies = [aws("s3").get_object(Bucket=BUCKET, Key=key, VersionId=each["VersionId"])["Body"] for each in found]
    return [body.read() for body in reversed(bodies)]


def test_an_event_is_archived_once_however_often_it_comes(archive: AuditArchive) -> None:
    each = a_trail().chains[VAULT][0]
    assert [archive.keep(each) for _ in range(3)] == [True] * 3
    assert _versions(event_key(VAULT, 1)) == [encode_link(each)]


def test_another_event_in_its_place_is_kept_beside_it_and_noticed(archive: AuditArchive) -> None:
    each = a_trail().chains[VAULT][0]
    other = dataclasses.replace(each, hash="f" * 64)
    assert archive.keep(each)
    assert not archive.keep(other)
    assert _versions(event_key(VAULT, 1)) == [encode_link(each), encode_link(other)]


def test_two_who_archive_an_event_at_the_same_moment_do_not_fail(archive: AuditArchive) -> None:
    each = a_trail().chains[VAULT][0]
    first = iter([True])
    with refused(lambda request: request.method == "PUT" and next(first, False), "ConditionalRequestConflict", 409):
        assert archive.keep(each)
    assert _versions(event_key(VAULT, 1)) == [encode_link(each)]


def test_a_conflict_that_does_not_end_is_raised(archive: AuditArchive) -> None:
    each = a_trail().chains[VAULT][0]
    refuse = refused(lambda request: request.method == "PUT", "ConditionalRequestConflict", 409)
    with refuse as refusal, pytest.raises(ClientError, match="ConditionalRequestConflict"):
        archive.keep(each)
    assert refusal.met == 3


def test_a_listing_tells_every_chain_and_every_copy_in_order(archive: AuditArchive) -> None:
    trail = a_trail()
    for each in [*reversed(trail.chains[VAULT]), *trail.chains[TENANT]]:
        archive.keep(each)
    aws("s3").put_object(Bucket=BUCKET, Key="events/platform%23vault/notes.txt", Body=b"x")
    assert archive.scopes() == {VAULT, TENANT}
    assert list(archive.copies(VAULT)) == [Copy(each.sequence, _md5(each)) for each in trail.chains[VAULT]]
    assert list(archive.copies("platform#none")) == []


def test_the_newest_document_of_heads_is_found_over_days_and_years(archive: AuditArchive) -> None:
    assert archive.newest_heads() is None
    for key in ("heads/2026/12/31/230500Z.json", "heads/2027/01/01/000500Z.json", "heads/2026/02/03/230500Z.json"):
        archive.put_heads(key, key.encode())
    assert archive.newest_heads() == ("heads/2027/01/01/000500Z.json", b"heads/2027/01/01/000500Z.json")
    assert [key for key, _ in archive.all_heads()] == [
        "heads/2026/02/03/230500Z.json",
        "heads/2026/12/31/230500Z.json",
        "heads/2027/01/01/000500Z.json",
    ]


def test_a_document_of_heads_is_never_put_over_another(archive: AuditArchive) -> None:
    archive.put_heads("heads/2026/12/31/230500Z.json", b"1")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        archive.put_heads("heads/2026/12/31/230500Z.json", b"2")
    assert _versions("heads/2026/12/31/230500Z.json") == [b"1"]


def test_a_spooled_event_waits_until_it_is_marked_as_chained(archive: AuditArchive) -> None:
    event = dataclasses.replace(a_trail().chains[VAULT][0].event, id="5f0c3c1e")
    for _ in range(2):
        archive.spool(VAULT, event)
    assert archive.waiting() == ["spool/5f0c3c1e.json"]
    assert archive.spooled("spool/5f0c3c1e.json") == Spooled(VAULT, event)
    for _ in range(2):
        archive.mark_chained("spool/5f0c3c1e.json")
    assert archive.waiting() == []
    assert len(_versions("spool/5f0c3c1e.json")) == len(_versions("chained/5f0c3c1e.json")) == 1
