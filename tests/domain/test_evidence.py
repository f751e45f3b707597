"""Chains, held against what was signed and archived: what is whole passes, and whatever is done to it is found."""

import dataclasses
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.audit import EMPTY, End, Event, Link, encode_link, link, read_link, unreadable
from lambdas.domain.audit_bucket import Finding, event_key, place_of
from lambdas.domain.evidence import Copy, _md5, chain_findings, news_findings, trail_findings
from lambdas.verify_audit_trail import verify
from tests.domain.trail import EVIDENCE, TENANT, VAULT, Trail, a_trail, lay_out, said


def _found(files: dict[str, bytes]) -> list[str]:
    """What the command finds in a copy with these files."""
    with tempfile.TemporaryDirectory() as folder:
        return said(verify(lay_out(files, Path(folder)), EVIDENCE.pem).findings)


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
