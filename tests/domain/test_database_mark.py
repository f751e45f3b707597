"""The mark in a database's comment: read back as written, beside whatever else somebody wrote there."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.database_mark import Mark, Part, mark_in, marked

MARK = Mark("op-1", "database/daily/2026-11-22/smtpy", verified=True)
COMMENTS = st.one_of(st.none(), st.text(st.characters(exclude_characters="\0"), min_size=1))
PARTS = st.sampled_from(get_args(Part))
FORMER = st.builds(Mark, st.text(), st.text(), st.booleans(), PARTS, st.booleans(), st.text(min_size=1))
MARKS = st.builds(
    Mark, st.text(), st.text(), st.booleans(), PARTS, st.booleans(), st.text(min_size=1), st.none() | FORMER
)


def test_a_mark_is_a_line_of_json_that_a_person_can_read() -> None:
    assert marked(None, MARK) == (
        '{"mailark": {"backup_id": "database/daily/2026-11-22/smtpy", "before": null, "loaded": "", "opened": true, '
        '"operation": "op-1", "part": "restored", "replaced": null, "verified": true}}'
    )


@given(COMMENTS, MARKS, MARKS)
def test_a_mark_is_read_back_replaced_and_taken_away_and_the_comment_stays(
    comment: str | None, first: Mark, second: Mark
) -> None:
    text = marked(comment, first)
    assert mark_in(text) == first
    assert mark_in(marked(text, second)) == second
    assert marked(marked(text, second), None) == comment


def test_what_a_person_wrote_stands_above_the_mark() -> None:
    text = marked("the mail service's\nask Ada", MARK)
    assert text is not None
    assert text.split("\n")[:2] == ["the mail service's", "ask Ada"]


@pytest.mark.parametrize(
    "line",
    [
        *("", "words", "[]", "null", '"mailark"', "{}", '{"mailark": null}', '{"mailark": {}}', '{"mailark": []}'),
        json.dumps({"mailark": {"operation": "op-1"}}),
        json.dumps({"mailark": {"operation": "op-1", "backup_id": "b", "verified": "yes"}}),
        json.dumps({"mailark": {"operation": "op-1", "backup_id": "b", "part": "staging"}}),
        json.dumps({"mailark": {"operation": 1, "backup_id": "b"}}),
        json.dumps({"mailark": {"operation": "op-1", "backup_id": "b", "more": True}}),
        json.dumps({"mailark": {"operation": "op-1", "backup_id": "b", "before": "live"}}),
        json.dumps({"mailark": {"operation": "op-1", "backup_id": "b", "before": {"operation": "op-0"}}}),
    ],
)
def test_any_other_comment_is_no_mark(line: str) -> None:
    assert mark_in(line) is None
    assert marked(line, None) == (line or None)


def test_a_mark_of_the_least_is_one_that_nobody_has_verified() -> None:
    assert mark_in('{"mailark": {"operation": "op-1", "backup_id": "b"}}') == Mark("op-1", "b", verified=False)
