"""What a person mistypes is named by its key, with what was expected there, in words and not in jargon."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from lambdas.domain.parsing import Problem, parse

SHORT = r"^[a-z]\s?[a-z]+\Z"


A: dict[Any, Any] = {"name": "a"}


class Room(Struct, frozen=True, forbid_unknown_fields=True):
    width: Annotated[int, Meta(gt=0)]
    colour: str = "red"


class House(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=5)]
    built: date | None = None
    height: Annotated[float, Meta(gt=0, lt=100)] = 1
    inhabited: bool = False
    owners: Annotated[list[Annotated[str, Meta(min_length=2)]], Meta(max_length=2)] = []
    rooms: dict[str, Room] = {}
    cellar: Room | None = None
    attics: list[Room] = []
    nickname: Annotated[str, Meta(pattern=SHORT)] = "abc"
    number: int | str = 1
    roof: Literal["flat", "steep"] = "steep"
    door: Literal["left", "right"] | None = None


def problem_of(data: object, patterns: dict[str, str] | None = None) -> Problem:
    with pytest.raises(Problem) as caught:
        parse(data, House, patterns)
    return caught.value


def test_what_is_right_is_read() -> None:
    data = {"name": "mill", "built": "1850-02-28", "rooms": {"hall": {"width": 3}}, "owners": ["Ada"]}
    assert parse(data, House) == House("mill", date(1850, 2, 28), owners=["Ada"], rooms={"hall": Room(3)})


@pytest.mark.parametrize(
    ("data", "key", "text"),
    [
        # keys
        (A | {"rooom": 1}, "rooom", "this key is not known (did you mean rooms?)"),
        (A | {"cellar": {"width": 1, "x": 1}}, "cellar.x", "this key is not known (known here: width, colour)"),
        (A | {"rooms": {"hall": {"widht": 1}}}, "rooms.hall.widht", "this key is not known (did you mean width?)"),
        (A | {"attics": [{"width": 1}, {"w": 1}]}, "attics[1].w", "this key is not known (known here: width, colour)"),
        ({}, "name", "this key is required and missing"),
        (A | {"cellar": {}}, "cellar.width", "this key is required and missing"),
        (A | {"rooms": {"hall": {"width": 1}, "bath": {}}}, "rooms.bath.width", "this key is required and missing"),
        (A | {1: 2}, "", "expected every key to be text"),
        (A | {"rooms": {1: {"width": 1}}}, "rooms", "expected every key to be text"),
        # types
        ([], "", "expected a group of keys, got an empty list"),
        ([1], "", "expected a group of keys, got a list"),
        ("mill", "", "expected a group of keys, got 'mill'"),
        (None, "", "expected a group of keys, got nothing"),
        (7, "", "expected a group of keys, got 7"),
        ({"name": None}, "name", "expected text, got nothing"),
        ({"name": ["mill"]}, "name", "expected text, got a list"),
        ({"name": {"is": "mill"}}, "name", "expected text, got a group of keys"),
        ({"name": 7}, "name", "expected text, got 7; put it in quotes"),
        ({"name": 7.5}, "name", "expected text, got 7.5; put it in quotes"),
        ({"name": True}, "name", "expected text, got true; put it in quotes"),
        ({"name": date(2026, 11, 22)}, "name", "expected text, got 2026-11-22; put it in quotes"),
        (A | {"height": "tall"}, "height", "expected a number, got 'tall'"),
        (A | {"roof": "round"}, "roof", "expected flat or steep, got 'round'"),
        (A | {"door": "none"}, "door", "expected left or right, got 'none'"),
        (A | {"inhabited": "no"}, "inhabited", "expected true or false, got 'no'"),
        (A | {"owners": "Ada"}, "owners", "expected a list, got 'Ada'"),
        (A | {"cellar": "deep"}, "cellar", "expected a group of keys, got 'deep'"),
        (A | {"rooms": {"hall": None}}, "rooms.hall", "expected a group of keys, got nothing"),
        (A | {"rooms": {"a.b": {"width": "x"}}}, "rooms.a.b.width", "expected a whole number, got 'x'"),
        (A | {"cellar": {"width": 1.5}}, "cellar.width", "expected a whole number, got 1.5"),
        (A | {"number": []}, "number", "expected a whole number or text, got an empty list"),
        # values
        (A | {"built": "1850-02-30"}, "built", "expected a date such as 2026-11-22, got '1850-02-30'"),
        (
            A | {"built": "1850-02-28T10:00:00Z"},
            "built",
            "expected a date such as 2026-11-22, got '1850-02-28T10:00:00Z'",
        ),
        (A | {"built": 1850}, "built", "expected a date such as 2026-11-22, got 1850"),
        ({"name": "townhall"}, "name", "expected at most 5 characters, got 8"),
        (A | {"owners": ["Ada", ""]}, "owners[1]", "expected at least 2 characters, got none"),
        (A | {"owners": ["Ada", "Bo", "Cy"]}, "owners", "expected at most 2 entries, got 3"),
        (A | {"height": 0.0}, "height", "expected a number of more than 0.0, got 0.0"),
        (A | {"height": 100.0}, "height", "expected a number of less than 100.0, got 100.0"),
        (A | {"rooms": {"hall": {"width": 0}}}, "rooms.hall.width", "expected a number of at least 1, got 0"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_was_expected(data: Any, key: str, text: str) -> None:
    problem = problem_of(data)
    assert (problem.key, problem.text) == (key, text)


def test_a_problem_reads_as_its_key_and_its_text() -> None:
    assert str(problem_of({"name": 7})) == "name: expected text, got 7; put it in quotes"


def test_a_problem_of_all_the_data_has_no_key() -> None:
    assert str(problem_of([])) == "expected a group of keys, got an empty list"


def test_a_pattern_is_said_in_words() -> None:
    problem = problem_of(A | {"nickname": "X"}, {SHORT: "two letters such as ab"})
    assert problem.text == "expected two letters such as ab, got 'X'"


def test_a_pattern_without_words_is_shown_as_it_is() -> None:
    assert problem_of(A | {"nickname": "X"}).text == rf"expected text matching {SHORT}, got 'X'"


def test_a_long_value_is_shown_in_part() -> None:
    problem = problem_of(A | {"height": "x" * 1000})
    assert problem.text == "expected a number, got '" + "x" * 56 + "..."


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(list(House.__struct_fields__)) | st.text(max_size=8)


@given(st.dictionaries(fields, json_values | st.fixed_dictionaries({"hall": json_values})))
def test_whatever_is_given_is_read_or_refused_with_a_problem(data: dict[str, Any]) -> None:
    try:
        assert isinstance(parse(data, House), House)
    except Problem as problem:
        assert problem.text  # noqa: PT017  # both ends are right; any other exception is not
