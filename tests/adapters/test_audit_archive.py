"""The locked audit bucket: what is put once stays as it was put, and listings tell what lies there."""

import dataclasses
import threading
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.domain.audit import Link, encode_link
from lambdas.domain.audit_bucket import event_key, second_key
from lambdas.domain.evidence import Copy, _md5
from lambdas.domain.spool import Spooled, read_spooled
from tests.domain.trail import Trail, a_trail
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
    assert [archive.keep(other) for _ in range(2)] == [False, False]
    assert _versions(event_key(VAULT, 1)) == [encode_link(each)]
    assert _versions(second_key(other)) == [encode_link(other)]
    assert list(archive.copies(VAULT)) == [Copy(1, _md5(each))]


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


def _long_chain() -> list[Link]:
    trail = Trail()
    return [trail.append(VAULT) for _ in range(40)]


def test_sixteen_events_are_archived_at_once(archive: AuditArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    all_there, keep = threading.Barrier(16, timeout=20), archive.keep

    def after_all_have_come(each: Link) -> bool:
        all_there.wait()
        return keep(each)

    monkeypatch.setattr(archive, "keep", after_all_have_come)
    links = _long_chain()[:32]
    assert list(archive.keep_whole(links)) == [(each, True) for each in links]
    assert [each.sequence for each in archive.copies(VAULT)] == list(range(1, 33))


def test_events_archived_at_once_are_told_in_their_order_whichever_was_first(
    archive: AuditArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_is_kept, keep = threading.Event(), archive.keep

    def last_before_first(each: Link) -> bool:
        if each.sequence == 1:
            assert last_is_kept.wait(20)
        kept = keep(each)
        if each.sequence == 16:
            last_is_kept.set()
        return kept

    monkeypatch.setattr(archive, "keep", last_before_first)
    links = _long_chain()
    for taken in (5, 33):
        keep(dataclasses.replace(links[taken - 1], hash="f" * 64))
    assert list(archive.keep_whole(links)) == [(each, each.sequence not in (5, 33)) for each in links]


def test_of_a_long_chain_no_more_is_in_memory_than_is_archived_at_once(archive: AuditArchive) -> None:
    read: list[Link] = []

    def links() -> Iterator[Link]:
        for each in _long_chain():
            read.append(each)
            yield each

    kept = archive.keep_whole(links())
    next(kept)
    assert len(read) == 16
    assert len(list(kept)) == 39


def test_an_event_that_is_not_whole_takes_no_place_in_the_archive(archive: AuditArchive) -> None:
    first, second, *_ = _long_chain()
    changed = dataclasses.replace(second, event=dataclasses.replace(second.event, user_id="nobody"))
    assert list(archive.keep_whole([first, changed])) == [(first, True), (changed, True)]
    assert [each.sequence for each in archive.copies(VAULT)] == [1]
    assert archive.keep(second)


def test_a_listing_tells_every_chain_and_every_copy_in_order(archive: AuditArchive) -> None:
    trail = a_trail()
    for each in [*reversed(trail.chains[VAULT]), *trail.chains[TENANT]]:
        archive.keep(each)
    aws("s3").put_object(Bucket=BUCKET, Key="events/platform%23vault/notes.txt", Body=b"x")
    assert archive.scopes() == {VAULT, TENANT}
    assert list(archive.copies(VAULT)) == [Copy(each.sequence, _md5(each)) for each in trail.chains[VAULT]]
    assert list(archive.copies("platform#none")) == []


def test_the_newest_document_of_heads_is_found_over_days_and_years(archive: AuditArchive) -> None:
    assert list(archive.newest_heads()) == []
    for key in ("heads/2026/12/31/230500Z.json", "heads/2027/01/01/000500Z.json", "heads/2026/02/03/230500Z.json"):
        archive.put_heads(key, key.encode())
    assert [(kept.key, body.decode()) for kept, body in archive.newest_heads()] == [
        ("heads/2027/01/01/000500Z.json",) * 2,
        ("heads/2026/12/31/230500Z.json",) * 2,
        ("heads/2026/02/03/230500Z.json",) * 2,
    ]
    assert [key for key, _ in archive.all_heads()] == [
        "heads/2026/02/03/230500Z.json",
        "heads/2026/12/31/230500Z.json",
        "heads/2027/01/01/000500Z.json",
    ]


def test_what_lies_where_no_document_belongs_hides_none_and_comes_first(archive: AuditArchive) -> None:
    ours = ["heads/2026/12/31/230500Z.json", "heads/2026/12/31/220500Z.json", "heads/2026/12/30/230500Z.json"]
    strange = ["heads/9.json", "heads/2026/9.json", f"heads/2026/12/31/9{'/9' * 400}.json"]
    for key in (*ours, *strange):
        archive.put_heads(key, b"1")
    assert [kept.key for kept, _ in archive.newest_heads()] == [*strange, *ours]


def test_an_object_too_large_to_be_one_of_ours_is_not_read(
    archive: AuditArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.adapters.audit_archive._LARGEST", 3)
    for name, body in (("a", b"123"), ("b", b"1234")):
        archive.put_heads(f"heads/{name}.json", body)
    assert list(archive.all_heads()) == [("heads/a.json", b"123"), ("heads/b.json", b"")]


def test_what_was_put_first_is_read_whatever_was_put_over_it(archive: AuditArchive) -> None:
    first, last = "heads/2026/12/30/230500Z.json", "heads/2026/12/31/230500Z.json"
    for key in (first, last):
        archive.put_heads(key, b"1")
        aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"2")
        aws("s3").delete_object(Bucket=BUCKET, Key=key)
    assert list(archive.all_heads()) == [(first, b"1"), (last, b"1")]
    assert [(kept.key, body) for kept, body in archive.newest_heads()] == [(last, b"1"), (first, b"1")]


def _only_marked(key: str, times: int = 1) -> None:
    """Delete what was never there: S3 puts a marker there too, and moto only where something is."""
    version = aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")["VersionId"]
    for _ in range(times):
        aws("s3").delete_object(Bucket=BUCKET, Key=key)
    aws("s3").delete_object(Bucket=BUCKET, Key=key, VersionId=version)


def test_a_deletion_of_what_was_never_there_is_no_document(archive: AuditArchive) -> None:
    archive.put_heads("heads/2026/12/31/230500Z.json", b"1")
    for key in ("heads/2026/12/31/230600Z.json", "heads/2027/01/01/000500Z.json"):
        _only_marked(key)
    assert [kept.key for kept, _ in archive.newest_heads()] == ["heads/2026/12/31/230500Z.json"]
    assert len(list(archive.all_heads())) == 1


def test_a_chain_whose_copies_were_all_deleted_is_listed_all_the_same(archive: AuditArchive) -> None:
    each = a_trail().chains[VAULT][0]
    archive.keep(each)
    aws("s3").delete_object(Bucket=BUCKET, Key=event_key(VAULT, 1))
    assert archive.scopes() == {VAULT}
    assert list(archive.copies(VAULT)) == [Copy(1, _md5(each))]


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_a_listing_counts_every_version_and_deletion_of_a_key_over_all_its_pages(
    page: int, archive: AuditArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", str(page))
    for key, deeds in (("heads/a", "p"), ("heads/b", "pdpdp"), ("heads/d", "pp")):
        for number, deed in enumerate(deeds):
            if deed == "p":
                aws("s3").put_object(Bucket=BUCKET, Key=key, Body=f"{key} {number}".encode())
            else:
                aws("s3").delete_object(Bucket=BUCKET, Key=key)
    _only_marked("heads/c", times=2)
    found = [(each.key, bool(each.version), each.later, each.markers) for each in archive.kept("heads/")]
    assert found == [
        ("heads/a", True, 0, 0),
        ("heads/b", True, 2, 2),
        ("heads/c", False, 0, 2),
        ("heads/d", True, 1, 0),
    ]
    assert [body for _, body in archive.all_heads()] == [b"heads/a 0", b"heads/b 0", b"heads/d 0"]


def test_a_document_of_heads_is_never_put_over_another(archive: AuditArchive) -> None:
    archive.put_heads("heads/2026/12/31/230500Z.json", b"1")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        archive.put_heads("heads/2026/12/31/230500Z.json", b"2")
    assert _versions("heads/2026/12/31/230500Z.json") == [b"1"]


def test_a_spooled_event_waits_until_it_is_marked_as_chained(archive: AuditArchive) -> None:
    event = dataclasses.replace(a_trail().chains[VAULT][0].event, id="5f0c3c1e")
    for _ in range(2):
        archive.spool(VAULT, event)
    for there in (archive.waiting(), archive.all_spooled()):
        ((kept, raw),) = there
        assert kept.key == "spool/5f0c3c1e.json"
        assert read_spooled(kept.key, raw) == Spooled(VAULT, event)
    assert list(archive.marks()) == []
    for _ in range(2):
        archive.mark_chained("spool/5f0c3c1e.json")
    assert list(archive.waiting()) == []
    assert list(archive.marks()) == ["chained/5f0c3c1e.json"]
    assert len(list(archive.all_spooled())) == 1
    assert len(_versions("spool/5f0c3c1e.json")) == len(_versions("chained/5f0c3c1e.json")) == 1


def test_what_was_spooled_first_waits_whatever_was_put_over_it_or_deleted(archive: AuditArchive) -> None:
    event = dataclasses.replace(a_trail().chains[VAULT][0].event, id="5f0c3c1e")
    archive.spool(VAULT, event)
    aws("s3").put_object(Bucket=BUCKET, Key="spool/5f0c3c1e.json", Body=b"{}")
    aws("s3").delete_object(Bucket=BUCKET, Key="spool/5f0c3c1e.json")
    ((kept, raw),) = archive.waiting()
    assert read_spooled(kept.key, raw) == Spooled(VAULT, event)


def test_a_mark_that_was_deleted_keeps_no_event_from_being_chained_and_was_there_all_the_same(
    archive: AuditArchive,
) -> None:
    archive.spool(VAULT, dataclasses.replace(a_trail().chains[VAULT][0].event, id="5f0c3c1e"))
    archive.mark_chained("spool/5f0c3c1e.json")
    aws("s3").delete_object(Bucket=BUCKET, Key="chained/5f0c3c1e.json")
    assert len(list(archive.waiting())) == 1
    assert list(archive.marks()) == ["chained/5f0c3c1e.json"]
