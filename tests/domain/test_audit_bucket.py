"""The audit bucket: what lies where, and what was put over it or deleted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.audit import encode_link, read_link
from lambdas.domain.audit_bucket import (
    NO_PLACE,
    Finding,
    Kept,
    broken,
    event_key,
    heads_key,
    kept_findings,
    place_of,
    second_key,
)
from tests.domain.trail import VAULT, a_trail, said

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


# --- what was put over it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["heads/2026/11/22/020500Z.json", event_key(VAULT, 2)])
def test_a_second_version_and_a_deletion_are_found(key: str) -> None:
    assert list(kept_findings([Kept(key, "v", "", 0, 0)])) == []
    assert said(list(kept_findings([Kept(key, "v", "", 2, 1), Kept(key, "", "", 0, 3)]))) == [
        f"{key}: it was deleted; below the deletion marker, the lock keeps what lay there",
        f"{key}: it was put again; of its 3 versions, the oldest is believed",
        f"{key}: it was deleted; below the deletion marker, the lock keeps what lay there",
    ]


def test_a_second_event_lies_beside_the_first_and_where_no_event_belongs() -> None:
    each = a_trail().chains[VAULT][1]
    key = second_key(each)
    assert event_key(VAULT, 1) < key < event_key(VAULT, 3)
    assert place_of(key) is None
    assert said(list(kept_findings([Kept(key, "v", "", 0, 0)]))) == [f"{key}: {NO_PLACE}"]


def test_the_error_names_the_first_findings_and_how_many_there_are() -> None:
    findings = [Finding(VAULT, n, f"event {n} was changed") for n in range(1, 30)]
    text = str(broken(findings, more=True))
    assert "found in at least 29 places: platform#vault: event 1 was changed; platform#vault: event 2" in text
    assert "event 20 was" in text
    assert "event 21 was" not in text
