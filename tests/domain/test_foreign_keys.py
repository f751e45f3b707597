"""Tables and what refers to what: whoever comes back, parents come first."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.foreign_keys import ForeignKey, ForeignKeys, Table, components, quoted


def table(name: str) -> Table:
    return Table("public", name)


def key(child: str, parent: str, deferrable: bool = False) -> ForeignKey:
    return ForeignKey(table(child), f"{child}_{parent}", ("x",), table(parent), ("id",), table(child), deferrable)


SERVICE = ForeignKeys(
    [
        *(key("users", "organizations"), key("domains", "organizations"), key("aliases", "domains")),
        *(key("messages", "aliases"), key("messages", "domains"), key("sessions", "users")),
    ]
)
EDGES = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.booleans()), max_size=24)


def graph(edges: list[tuple[str, str, bool]]) -> ForeignKeys:
    return ForeignKeys(key(child, parent, deferrable) for child, parent, deferrable in edges)


def names(tables: set[Table]) -> set[str]:
    return {each.name for each in tables}


def test_below_a_table_is_what_a_cascade_would_take() -> None:
    assert names(SERVICE.below([table("domains")])) == {"domains", "aliases", "messages"}
    assert names(SERVICE.below(iter([table("users"), table("lonely")]))) == {"users", "sessions", "lonely"}


def test_above_a_table_is_what_its_rows_need() -> None:
    assert names(SERVICE.above([table("messages")])) == {"messages", "aliases", "domains", "organizations"}


def test_parents_are_imported_first() -> None:
    tables = [table(name) for name in ("messages", "sessions", "organizations", "users", "aliases", "domains")]
    order = [group[0].name for group in SERVICE.import_order(tables)]
    assert order == ["organizations", "domains", "aliases", "messages", "users", "sessions"]


def test_tables_that_are_not_imported_order_nothing() -> None:
    assert SERVICE.import_order([table("sessions"), table("aliases")]) == [[table("aliases")], [table("sessions")]]


def test_a_table_that_refers_to_itself_is_a_group_of_one() -> None:
    assert graph([("a", "a", False)]).import_order([table("a")]) == [[table("a")]]


def test_a_circle_is_one_group_unless_a_deferrable_key_closes_it() -> None:
    circle = [("a", "b", False), ("b", "c", False), ("c", "a", False), ("d", "a", False)]
    tables = [table(name) for name in "abcd"]
    assert graph(circle).import_order(tables) == [[table("a"), table("b"), table("c")], [table("d")]]
    circle[2] = ("c", "a", True)
    assert graph(circle).import_order(tables) == [[table(name)] for name in "cbad"]


def test_a_deferrable_key_that_closes_no_circle_orders_like_any_other() -> None:
    assert graph([("a", "b", True)]).import_order([table("a"), table("b")]) == [[table("b")], [table("a")]]


@given(EDGES)
def test_every_table_comes_once_and_no_parent_after_its_child(edges: list[tuple[str, str, bool]]) -> None:
    tables = [table(name) for name in "abcdefgh"]
    keys = graph(edges)
    order = keys.import_order(tables)
    place = {each: number for number, group in enumerate(order) for each in group}
    assert sorted(place) == sorted(each for group in order for each in group) == tables
    for each in keys.all:
        if not each.deferrable:
            assert place[each.parent] <= place[each.child]
        elif each.child not in keys.above([each.parent]):
            assert place[each.parent] < place[each.child]


@given(EDGES)
def test_only_tables_that_reach_each_other_share_a_group(edges: list[tuple[str, str, bool]]) -> None:
    strict = graph([(child, parent, False) for child, parent, _ in edges])
    order = strict.import_order([table(name) for name in "abcdefgh"])
    for group in order:
        for one in group:
            for other in group:
                assert other in strict.above([one])


@given(EDGES, st.randoms())
def test_the_order_does_not_depend_on_how_the_keys_are_listed(
    edges: list[tuple[str, str, bool]], random: Random
) -> None:
    shuffled = edges[:]
    random.shuffle(shuffled)
    tables = [table(name) for name in "abcdefgh"]
    assert graph(edges).import_order(tables) == graph(shuffled).import_order(tables[::-1])


@given(EDGES, st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))
def test_what_is_below_one_has_it_above(edges: list[tuple[str, str, bool]], one: str, other: str) -> None:
    keys = graph(edges)
    assert (table(one) in keys.below([table(other)])) == (table(other) in keys.above([table(one)]))


def test_no_chain_is_too_long() -> None:
    chain = {table(f"{number:05}"): [table(f"{number + 1:05}")] for number in range(5000)}
    found = components(chain | {table("05000"): []})
    assert [group[0].name for group in found] == [f"{number:05}" for number in range(5000, -1, -1)]


@pytest.mark.parametrize(
    ("name", "text"), [("users", "users"), ("Users", '"Users"'), ('a"b', '"a""b"'), ("ü", '"ü"'), ("1a", '"1a"')]
)
def test_a_name_is_quoted_where_sql_asks_for_it(name: str, text: str) -> None:
    assert quoted(name) == text
    assert str(Table("public", name)) == f"public.{text}"
