"""Signed heads and the archive, held against the chains: what is whole passes, and whatever is done to it is found."""

import dataclasses
import itertools
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.audit import EMPTY, End, Event, Link, encode_link, link, read_link, unreadable
from lambdas.domain.evidence import (
    NO_PLACE,
    Copy,
    Finding,
    History,
    Kept,
    SignedHeads,
    _md5,
    broken,
    chain_findings,
    event_key,
    heads_key,
    kept_findings,
    newest_of_ours,
    news_findings,
    place_of,
    second_key,
    trail_findings,
    verifier_of,
)
from lambdas.verify_audit_trail import verify
from tests.domain.trail import EVIDENCE, NIGHT, Key, Trail, a_trail, lay_out

VAULT, TENANT = "platform#vault", "tenant#1/ä"


def _history(documents: dict[str, bytes], key: Key = EVIDENCE) -> History:
    history = History(verifier_of(key.pem))
    for place in sorted(documents):
        history.add(place, documents[place])
    return history


def _said(findings: list[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


def _found(files: dict[str, bytes]) -> list[str]:
    """What the command finds in a copy with these files."""
    with tempfile.TemporaryDirectory() as folder:
        return _said(verify(lay_out(files, Path(folder)), EVIDENCE.pem).findings)


# --- where things lie -------------------------------------------------------------------------------------


@given(st.text(min_size=1), st.integers(1, 10**11))
def test_the_key_of_an_archived_event_names_its_scope_and_sequence(scope: str, sequence: int) -> None:
    try:
        scope.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates: no text that JSON could hold
        return
    assert place_of(event_key(scope, sequence)) == (scope, sequence)


@pytest.mark.parametrize("key", ["events/a/1.json", "events/a/000000000001", "events/a#/000000000001.json", "x"])
def test_any_other_key_names_none(key: str) -> None:
    assert place_of(key) is None


def test_the_key_of_a_document_is_made_of_its_time_in_utc() -> None:
    assert heads_key("2026-11-22T03:05:00+01:00") == "heads/2026/11/22/020500Z.json"


def test_an_event_is_read_back_as_it_was_archived_and_in_no_other_spelling() -> None:
    each = a_trail().chains[VAULT][1]
    assert read_link(encode_link(each)) == each
    for raw in (encode_link(each) + b" ", b"{}", b"\xff", encode_link(each).replace(b'"n":1', b'"n":1,"n":1')):
        with pytest.raises(ValueError, match="it is no event as it is archived"):
            read_link(raw)


# --- documents of signed heads ----------------------------------------------------------------------------


def test_documents_that_follow_one_another_have_no_finding_and_say_what_was_signed() -> None:
    trail = a_trail()
    history = _history(trail.documents)
    assert history.findings == []
    assert history.documents == 3
    assert (history.first_at, history.last_at) == ("2026-11-22T02:05:00+00:00", "2026-11-22T04:05:00+00:00")
    assert {(s, n, h) for s, known in history.signed.items() for n, h in known.items()} == set(trail.signed_ends())


def test_a_document_of_another_key_is_not_believed() -> None:
    trail = a_trail()
    del trail.documents[place := list(trail.documents)[-1]]
    assert trail.sign(Key()) == place
    history = _history(trail.documents)
    assert _said(history.findings) == [f"{place}: its signature does not match"]
    assert max(history.signed[VAULT]) == 4


@pytest.mark.parametrize(("gone", "told"), [(0, "the documents before it are"), (1, "a document between it and the")])
def test_a_missing_document_is_found_by_the_one_after_it(gone: int, told: str) -> None:
    documents = a_trail().documents
    places = list(documents)
    del documents[places[gone]]
    (finding,) = _history(documents).findings
    assert finding.where == places[gone + 1]
    assert finding.problem.startswith(told)


def test_a_document_in_another_ones_place_is_found() -> None:
    documents = a_trail().documents
    places = list(documents)
    documents[places[1]] = documents[places[0]]
    assert _said(_history(documents).findings) == [
        f"{places[1]}: it belongs at {places[0]}",
        f"{places[2]}: a document between it and the one before is missing, or changed",
    ]


def test_a_document_of_another_region_is_found() -> None:
    trail = a_trail()
    place = trail.sign(region="eu-west-1")
    assert _said(_history(trail.documents).findings) == [
        f"{place}: it is of the region eu-west-1, and those before it of eu-central-1"
    ]


def test_a_document_of_another_region_breaks_no_line_of_documents() -> None:
    trail = a_trail()
    before = list(trail.documents.values())[-1]
    place = trail.sign(region="eu-west-1")
    foreign, trail.documents[place] = trail.documents[place], before
    trail.sign()
    trail.documents[place] = foreign
    assert _said(_history(trail.documents).findings) == [
        f"{place}: it is of the region eu-west-1, and those before it of eu-central-1"
    ]


def test_a_document_of_another_region_is_not_taken_for_the_first_where_the_region_is_known() -> None:
    trail = Trail()
    trail.append(VAULT)
    place = trail.sign(region="eu-west-1")
    history = History(verifier_of(EVIDENCE.pem), "eu-central-1")
    history.add(place, trail.documents[place])
    assert len(history.findings) == 1
    assert history.signed == {}


def test_a_fault_that_was_signed_is_a_finding_for_ever() -> None:
    trail = a_trail()
    place = trail.sign(faults=["a", "b"])
    trail.sign()
    assert _said(_history(trail.documents).findings) == [
        f"{place}: when it was signed, this was found: {fault}" for fault in "ab"
    ]


def test_a_head_that_goes_back_or_changes_or_is_left_out_is_found() -> None:
    trail = a_trail()
    trail.rewrite(VAULT, 6)
    rewritten = trail.sign()
    trail.chains[VAULT].pop()
    back = trail.sign()
    del trail.chains[TENANT]
    left_out = trail.sign()
    assert _said(_history(trail.documents).findings) == [
        f"{rewritten}: event 6 of {VAULT} is another one than was signed before",
        f"{back}: the head of {VAULT} went back from event 6 to event 5",
        f"{left_out}: {TENANT} is left out",
    ]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"format":"mailark-heads/1"}', b"\xff\xfe"])
def test_what_is_no_document_is_said_to_be_none(raw: bytes) -> None:
    assert _said(_history({"heads/2026/11/22/020500Z.json": raw}).findings) == [
        "heads/2026/11/22/020500Z.json: it cannot be read as a document of signed heads"
    ]


def test_a_document_with_a_space_more_is_found() -> None:
    documents = a_trail().documents
    place = list(documents)[-1]
    documents[place] = msgspec.json.format(documents[place])
    assert _said(_history(documents).findings) == [f"{place}: its text differs from what was signed"]


@pytest.mark.parametrize("pem", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_verifies_nothing(pem: str) -> None:
    with pytest.raises(ValueError, match="it is not the public half of an ECDSA key in PEM"):
        verifier_of(pem)


# --- the document that the next one goes on from ----------------------------------------------------------


def _strangers(trail: Trail) -> dict[str, bytes]:
    """What somebody who may put objects can put after the newest document, by key."""
    older, *_, newest = trail.documents
    no_time = trail.documents[newest].replace(b"2026-11-22T04:05:00+00:00", b"9999-12-31T23:59:59-23:00")
    strangers = {"heads/9999/1.json": b"", "heads/9999/2.json": no_time, "heads/9999/3.json": trail.documents[older]}
    for key in (trail.sign(Key()), trail.sign(region="eu-west-1")):
        strangers[key] = trail.documents.pop(key)
    return strangers


def test_the_next_document_goes_on_from_the_newest_of_ours_whatever_lies_after_it() -> None:
    trail = a_trail()
    ours = list(trail.documents)[-1]
    documents = trail.documents | _strangers(trail)
    there = [(Kept(key, "v", "", 0, 0), documents[key]) for key in sorted(documents, reverse=True)]
    newest, _ = newest_of_ours(there, verifier_of(EVIDENCE.pem), "eu-central-1")
    assert newest
    assert (newest.key, newest.raw, newest.document.encode()) == (ours, documents[ours], documents[ours])


@pytest.mark.parametrize(("minutes", "told"), [(-1, []), (0, ["x: it cannot be read"]), (1, ["x: it cannot be read"])])
def test_a_stranger_is_news_when_it_was_put_since_the_newest_of_ours_was_signed(minutes: int, told: list[str]) -> None:
    ours, raw = list(a_trail().documents.items())[-1]
    put_at = NIGHT + timedelta(hours=2, minutes=minutes)
    there = [(Kept("x", "v", "", 0, 0, put_at=put_at), b"junk"), (Kept(ours, "v", "", 0, 0), raw)]
    _, news = newest_of_ours(there, verifier_of(EVIDENCE.pem), "eu-central-1")
    assert [str(finding)[: len("x: it cannot be read")] for finding in news] == told


def test_where_no_document_is_ours_every_stranger_is_news() -> None:
    there = [(Kept(key, "v", "", 0, 0), b"junk") for key in "ab"]
    newest, news = newest_of_ours(there, verifier_of(EVIDENCE.pem), "eu-central-1")
    assert newest is None
    assert [finding.where for finding in news] == ["a", "b"]


# --- what was put over it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["heads/2026/11/22/020500Z.json", event_key(VAULT, 2)])
def test_a_second_version_and_a_deletion_are_found(key: str) -> None:
    assert list(kept_findings([Kept(key, "v", "", 0, 0)])) == []
    assert _said(list(kept_findings([Kept(key, "v", "", 2, 1), Kept(key, "", "", 0, 3)]))) == [
        f"{key}: it was deleted; below the deletion marker, the lock keeps what lay there",
        f"{key}: it was put again; of its 3 versions, the oldest is believed",
        f"{key}: it was deleted; below the deletion marker, the lock keeps what lay there",
    ]


def test_a_second_event_lies_beside_the_first_and_where_no_event_belongs() -> None:
    each = a_trail().chains[VAULT][1]
    key = second_key(each)
    assert event_key(VAULT, 1) < key < event_key(VAULT, 3)
    assert place_of(key) is None
    assert _said(list(kept_findings([Kept(key, "v", "", 0, 0)]))) == [f"{key}: {NO_PLACE}"]


# --- a copy of the bucket: any single deed ----------------------------------------------------------------

trails = st.lists(st.tuples(st.sampled_from([VAULT, TENANT]), st.booleans()), min_size=2, max_size=7)


def _grown(steps: list[tuple[str, bool]]) -> Trail:
    trail = Trail()
    for scope, signed in steps:
        trail.append(scope)
        if signed:
            trail.sign()
    trail.sign()
    return trail


@settings(max_examples=30, deadline=None)
@given(trails)
def test_a_copy_of_a_sound_trail_has_no_finding(steps: list[tuple[str, bool]]) -> None:
    assert _found(_grown(steps).files()) == []


def test_no_bit_of_an_archived_event_can_change() -> None:
    files = _grown([(VAULT, False), (TENANT, False)]).files()
    for key in _events(files):
        raw = files[key]
        for i, bit in itertools.product(range(len(raw)), range(8)):
            changed = files | {key: raw[:i] + bytes([raw[i] ^ 1 << bit]) + raw[i + 1 :]}
            assert _chains_found(changed), (key, i, bit)


def _chains_found(files: dict[str, bytes]) -> list[Finding]:
    """What is wrong with the chains among these files; the documents of heads are not looked at."""
    found: list[Finding] = []
    for key in _events(files):
        scope, _ = place_of(key) or ("", 0)
        try:
            found += chain_findings(scope, [read_link(files[key])], {})
        except ValueError as error:
            found.append(Finding(scope, None, str(error)))
    return found


def test_no_bit_of_the_last_document_can_change() -> None:
    """No later one names its SHA-256."""
    documents = a_trail().documents
    place, raw = list(documents.items())[-1]
    for i, bit in itertools.product(range(len(raw)), range(8)):
        documents[place] = raw[:i] + bytes([raw[i] ^ 1 << bit]) + raw[i + 1 :]
        assert _history(documents).findings, (i, bit)


@settings(max_examples=120, deadline=None)
@given(trails, st.data())
def test_any_one_byte_that_changes_anywhere_in_a_copy_is_found(
    steps: list[tuple[str, bool]], data: st.DataObject
) -> None:
    files = _grown(steps).files()
    key = data.draw(st.sampled_from(sorted(files)))
    # A signature has another length each time: what is drawn may not depend on it.
    place = data.draw(st.integers(0, 2**16)) % len(files[key])
    other = files[key][place] ^ data.draw(st.integers(1, 255))
    files[key] = files[key][:place] + bytes([other]) + files[key][place + 1 :]
    assert _found(files)


def _events(files: dict[str, bytes]) -> list[str]:
    return sorted(key for key in files if key.startswith("events/"))


def _remove(files: dict[str, bytes], data: st.DataObject) -> None:
    del files[data.draw(st.sampled_from(_events(files)))]


def _exchange(files: dict[str, bytes], data: st.DataObject) -> None:
    one, other = data.draw(st.lists(st.sampled_from(_events(files)), min_size=2, max_size=2, unique=True))
    files[one], files[other] = files[other], files[one]


def _double(files: dict[str, bytes], data: st.DataObject) -> None:
    one, other = data.draw(st.lists(st.sampled_from(_events(files)), min_size=2, max_size=2, unique=True))
    files[one] = files[other]


def _cut(files: dict[str, bytes], data: st.DataObject) -> None:
    last = _events(files)[-1]
    del files[last]


def _invent(files: dict[str, bytes], data: st.DataObject) -> None:
    scope, sequence = place_of(data.draw(st.sampled_from(_events(files)))) or ("", 0)
    new = link(scope, sequence, data.draw(st.sampled_from(["0" * 64, "f" * 64])), Event("x", "x", "x", "x", "info"))
    files[event_key(scope, sequence)] = encode_link(new)


def _lose_a_document(files: dict[str, bytes], data: st.DataObject) -> None:
    documents = sorted(key for key in files if key.startswith("heads/"))[:-1]
    if documents:
        del files[data.draw(st.sampled_from(documents))]
    else:
        _cut(files, data)


def _exchange_documents(files: dict[str, bytes], data: st.DataObject) -> None:
    documents = sorted(key for key in files if key.startswith("heads/"))
    if len(documents) > 1:
        one, other = data.draw(st.lists(st.sampled_from(documents), min_size=2, max_size=2, unique=True))
        files[one], files[other] = files[other], files[one]
    else:
        _cut(files, data)


DEEDS = [_remove, _exchange, _double, _cut, _invent, _lose_a_document, _exchange_documents]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__.strip("_"))
@settings(max_examples=25, deadline=None)
@given(steps=trails, data=st.data())
def test_any_one_deed_on_a_copy_is_found(
    deed: Callable[[dict[str, bytes], st.DataObject], None], steps: list[tuple[str, bool]], data: st.DataObject
) -> None:
    files = _grown(steps).files()
    deed(files, data)
    assert _found(files)


@settings(max_examples=25, deadline=None)
@given(trails, st.data())
def test_a_chain_that_was_rewritten_as_a_whole_is_found_by_what_was_signed(
    steps: list[tuple[str, bool]], data: st.DataObject
) -> None:
    trail = _grown(steps)
    scope = data.draw(st.sampled_from(sorted(trail.chains)))
    at = data.draw(st.integers(1, len(trail.chains[scope])))
    trail.rewrite(scope, at)
    found = _found(trail.files())
    assert f"{scope}: event {len(trail.chains[scope])} is another one than was signed" in found
    assert all("is another one than was signed" in each for each in found)


# --- the table, its head and its archive ------------------------------------------------------------------


def _copies(links: list[Link]) -> Iterator[Copy]:
    return (Copy(each.sequence, _md5(each)) for each in links)


def _table_findings(
    links: list[Link], head: End, archived: list[Link], signed: dict[int, str] | None = None
) -> list[str]:
    there = {each.sequence for each in links}
    found = trail_findings(VAULT, links, lambda: head, signed or {}, _copies(archived), lambda n: n in there)
    return [finding.problem for finding in found]


@pytest.fixture
def links() -> list[Link]:
    return a_trail().chains[VAULT]


def _end(links: list[Link]) -> End:
    return links[-1].sequence, links[-1].hash


def test_a_table_that_equals_its_head_and_its_archive_has_no_finding(links: list[Link]) -> None:
    assert _table_findings(links, _end(links), links, {6: links[-1].hash}) == []
    assert _table_findings([], EMPTY, []) == []


def test_what_is_younger_than_the_last_signature_may_still_be_on_its_way_to_the_archive(links: list[Link]) -> None:
    assert _table_findings(links, _end(links), links[:4], {4: links[3].hash}) == []
    assert _table_findings(links, _end(links), links[:4], {5: links[4].hash}) == ["event 5 has no copy in the archive"]


def test_an_event_that_lies_in_the_archive_alone_was_removed(links: list[Link]) -> None:
    table = [*links[:2], *links[3:]]
    assert _table_findings(table, _end(links), links) == [
        "event 3 is missing before event 4",
        "event 3 is in the archive, and not in the table",
    ]


def test_a_tail_that_was_cut_with_its_head_is_found_by_the_archive(links: list[Link]) -> None:
    assert _table_findings(links[:5], _end(links[:5]), links) == ["event 6 is in the archive, and not in the table"]
    assert _table_findings([], EMPTY, links[:1]) == ["event 1 is in the archive, and not in the table"]


def test_an_event_that_came_while_the_chain_was_read_is_no_finding(links: list[Link]) -> None:
    found = trail_findings(VAULT, links[:5], lambda: _end(links[:5]), {}, _copies(links), lambda n: n == 6)
    assert list(found) == []


def test_a_rewritten_table_differs_from_its_archive() -> None:
    before, after = a_trail(), a_trail()
    after.rewrite(VAULT, 4)
    found = _table_findings(after.chains[VAULT], after.end(VAULT), before.chains[VAULT])
    assert found == [f"event {n} differs from its copy in the archive" for n in (4, 5, 6)]


def test_an_event_that_no_json_can_hold_is_found_and_stops_nothing(links: list[Link]) -> None:
    strange = dataclasses.replace(links[1].event, details={"n": float("nan")})
    for each in (unreadable(VAULT, 2), dataclasses.replace(links[1], event=strange)):
        found = _table_findings([links[0], each, *links[2:]], _end(links), links)
        assert found[-2:] != []
        assert "event 2 was changed" in found
        assert "event 2 differs from its copy in the archive" in found


def test_a_million_findings_are_not_all_held_in_memory(links: list[Link]) -> None:
    endless = (dataclasses.replace(links[0], sequence=n) for n in itertools.count(1))
    found = trail_findings(VAULT, endless, lambda: EMPTY, {}, iter(()), lambda _: True)
    assert len(list(itertools.islice(found, 1000))) == 1000


# --- what is new since the last signature -----------------------------------------------------------------


def test_what_came_since_the_last_signature_follows_it(links: list[Link]) -> None:
    assert list(news_findings(VAULT, links[2:], _end(links[:2]), _end(links))) == []
    assert list(news_findings(VAULT, [], _end(links), _end(links))) == []


def test_a_chain_that_was_rewritten_since_the_last_signature_does_not_follow_it(links: list[Link]) -> None:
    (finding,) = news_findings(VAULT, links[2:], (2, "f" * 64), _end(links))
    assert str(finding) == f"{VAULT}: event 3 does not follow the event before it"


def test_a_head_that_went_back_or_is_gone_is_found(links: list[Link]) -> None:
    for head in (_end(links[:3]), EMPTY):
        (finding,) = news_findings(VAULT, [], _end(links), head)
        assert finding.problem == f"the chain ends at event 6, and its head is event {head[0]}"


# --- words ------------------------------------------------------------------------------------------------


def test_the_error_names_the_first_findings_and_how_many_there_are() -> None:
    findings = [Finding(VAULT, n, f"event {n} was changed") for n in range(1, 30)]
    text = str(broken(findings, more=True))
    assert "found in at least 29 places: platform#vault: event 1 was changed; platform#vault: event 2" in text
    assert "event 20 was" in text
    assert "event 21 was" not in text


def test_a_document_holds_every_field_that_it_is_signed_over() -> None:
    (raw, *_) = a_trail().documents.values()
    document = msgspec.json.decode(raw, type=SignedHeads)
    assert document.encode() == raw
    assert b"signature" not in document.signed_bytes()
