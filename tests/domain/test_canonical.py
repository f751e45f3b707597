"""One value has one text, and two values have two."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.canonical import canonical_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_it_is_json_with_sorted_keys_and_no_white_space() -> None:
    value = {"b": [1, True, None], "a": {"d": "x y", "c": "✉ é"}}
    assert canonical_json(value) == '{"a":{"c":"✉ é","d":"x y"},"b":[1,true,null]}'.encode()


@given(st.dictionaries(st.text(max_size=8), values))
def test_the_order_in_which_keys_were_set_makes_no_difference(value: dict[str, Any]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@given(values, values)
def test_two_texts_are_equal_only_for_equal_values(one: Any, other: Any) -> None:
    same_type_and_value = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical_json(one) == canonical_json(other)) == same_type_and_value


@given(values)
def test_the_text_gives_the_value_back(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, "1"), (None, "null"), ([], {}), ("", None), (0, False)])
def test_values_that_only_look_alike_have_different_texts(one: object, other: object) -> None:
    assert canonical_json({"x": one}) != canonical_json({"x": other})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": value})
