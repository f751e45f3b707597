"""Signed heads: what follows one another passes, and whatever is done to the documents is found."""

import itertools
from datetime import timedelta

import msgspec
import pytest

from lambdas.domain.audit_bucket import Kept
from lambdas.domain.signed_heads import History, SignedHeads, newest_of_ours, verifier_of
from tests.domain.trail import EVIDENCE, NIGHT, TENANT, VAULT, Key, Trail, a_trail, said


def _history(documents: dict[str, bytes], key: Key = EVIDENCE) -> History:
    history = History(verifier_of(key.pem))
    for place in sorted(documents):
        history.add(place, documents[place])
    return history


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
    assert said(history.findings) == [f"{place}: its signature does not match"]
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
    assert said(_history(documents).findings) == [
        f"{places[1]}: it belongs at {places[0]}",
        f"{places[2]}: a document between it and the one before is missing, or changed",
    ]


def test_a_document_of_another_region_is_found() -> None:
    trail = a_trail()
    place = trail.sign(region="eu-west-1")
    assert said(_history(trail.documents).findings) == [
        f"{place}: it is of the region eu-west-1, and those before it of eu-central-1"
    ]


def test_a_document_of_another_region_breaks_no_line_of_documents() -> None:
    trail = a_trail()
    before = list(trail.documents.values())[-1]
    place = trail.sign(region="eu-west-1")
    foreign, trail.documents[place] = trail.documents[place], before
    trail.sign()
    trail.documents[place] = foreign
    assert said(_history(trail.documents).findings) == [
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
    assert said(_history(trail.documents).findings) == [
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
    assert said(_history(trail.documents).findings) == [
        f"{rewritten}: event 6 of {VAULT} is another one than was signed before",
        f"{back}: the head of {VAULT} went back from event 6 to event 5",
        f"{left_out}: {TENANT} is left out",
    ]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"format":"mailark-heads/1"}', b"\xff\xfe"])
def test_what_is_no_document_is_said_to_be_none(raw: bytes) -> None:
    assert said(_history({"heads/2026/11/22/020500Z.json": raw}).findings) == [
        "heads/2026/11/22/020500Z.json: it cannot be read as a document of signed heads"
    ]


def test_a_document_with_a_space_more_is_found() -> None:
    documents = a_trail().documents
    place = list(documents)[-1]
    documents[place] = msgspec.json.format(documents[place])
    assert said(_history(documents).findings) == [f"{place}: its text differs from what was signed"]


@pytest.mark.parametrize("pem", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_verifies_nothing(pem: str) -> None:
    with pytest.raises(ValueError, match="it is not the public half of an ECDSA key in PEM"):
        verifier_of(pem)


def test_a_document_holds_every_field_that_it_is_signed_over() -> None:
    (raw, *_) = a_trail().documents.values()
    document = msgspec.json.decode(raw, type=SignedHeads)
    assert document.encode() == raw
    assert b"signature" not in document.signed_bytes()


def test_no_bit_of_the_last_document_can_change() -> None:
    """No later one names its SHA-256."""
    documents = a_trail().documents
    place, raw = list(documents.items())[-1]
    for i, bit in itertools.product(range(len(raw)), range(8)):
        documents[place] = raw[:i] + bytes([raw[i] ^ 1 << bit]) + raw[i + 1 :]
        assert _history(documents).findings, (i, bit)


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
