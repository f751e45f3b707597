"""A restored database is the one of its manifest, or every difference has a name."""

import dataclasses
import random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.backup import Bytes, WrappedKey
from lambdas.domain.database_manifest import DatabaseContents, SequenceFacts, TableFacts
from lambdas.domain.database_proof import Found, certain, differences
from lambdas.domain.database_properties import Grant, Rules, Setting

USERS, DOMAINS = TableFacts("public", "users", 3, "12"), TableFacts("public", "domains", 2, "-7")
OBJECTS = TableFacts("pg_catalog", "pg_largeobject", 1, "5")
UP, DOWN = SequenceFacts("public", "up", 10, 1), SequenceFacts("public", "down", -10, -2)
UNUSED = SequenceFacts("public", "unused", None, 1)
RECORDED = DatabaseContents(
    sql=Bytes(1, "aa"),
    restrict_key="k1",
    tables=[USERS, DOMAINS],
    sequences=[UP, DOWN, UNUSED],
    extensions={"citext": "1.6", "plpgsql": "1.0"},
    roles=["postgres"],
    alembic="b1",
    large_objects=OBJECTS,
    size=1,
    globals=WrappedKey("roles.sql", {}, ""),
)
RULES = Rules("smtpy", 7, frozenset([Grant(None, "CONNECT", grantable=False)]), [Setting("app", "work_mem", "1MB")])
SAME = Found([USERS, DOMAINS], OBJECTS, [UP, DOWN, UNUSED], {"citext": "1.6", "plpgsql": "1.0"}, "b1", RULES)


def told(**changes: Any) -> list[str]:
    return differences(RECORDED, dataclasses.replace(SAME, **changes))


def test_the_same_has_no_difference() -> None:
    assert told() == []


@given(st.randoms(use_true_random=False))
def test_no_order_matters(chance: random.Random) -> None:
    tables, sequences = list(SAME.tables), list(SAME.sequences)
    chance.shuffle(tables)
    chance.shuffle(sequences)
    assert told(tables=tables, sequences=sequences) == []


def test_a_missing_table_and_one_too_many_are_named() -> None:
    assert told(tables=[USERS, TableFacts("public", "extra", 0, "0")]) == [
        "the table public.domains is missing",
        "the table public.extra was not in the dump",
    ]


def test_rows_are_counted_first_and_compared_then() -> None:
    changed = [msgspec.structs.replace(USERS, rows=2), msgspec.structs.replace(DOMAINS, checksum="7")]
    assert told(tables=changed) == [
        "rows of the table public.domains differ from those recorded",
        "the table public.users has 2 rows, and 3 were recorded",
    ]


def test_large_objects_are_compared_like_a_table() -> None:
    assert told(large_objects=msgspec.structs.replace(OBJECTS, checksum="6")) == [
        "rows of the table pg_catalog.pg_largeobject differ from those recorded"
    ]


def test_tables_whose_names_look_alike_are_not_taken_for_each_other() -> None:
    one, other = TableFacts("a.b", "c", 1, "1"), TableFacts("a", "b.c", 2, "2")
    recorded = msgspec.structs.replace(RECORDED, tables=[one, other])
    assert differences(recorded, dataclasses.replace(SAME, tables=[one])) == ["the table a.b.c is missing"]
    assert differences(recorded, dataclasses.replace(SAME, tables=[other, one])) == []


def test_a_name_stands_on_one_line_whatever_it_holds() -> None:
    (line,) = told(tables=[USERS, DOMAINS, TableFacts("public", "x\nNext: pay\x1b[2J", 0, "0")])
    assert line == "the table public.x?Next: pay?[2J was not in the dump"


def test_a_table_that_could_not_be_read_when_it_was_saved_may_be_there() -> None:
    recorded = msgspec.structs.replace(RECORDED, tables=[USERS], left_out=["public.domains"])
    assert differences(recorded, SAME) == []


@given(st.integers(0, 1000))
def test_a_sequence_may_be_ahead_in_its_own_direction(more: int) -> None:
    ahead = [SequenceFacts("public", "up", 10 + more, 1), SequenceFacts("public", "down", -10 - more, -2), UNUSED]
    assert told(sequences=ahead) == []


@given(st.integers(1, 1000))
def test_a_sequence_that_is_behind_would_give_a_value_twice(less: int) -> None:
    behind = [SequenceFacts("public", "up", 10 - less, 1), SequenceFacts("public", "down", -10 + less, -2), UNUSED]
    assert told(sequences=behind) == [
        "the sequence public.down is behind what was recorded",
        "the sequence public.up is behind what was recorded",
    ]


def test_a_sequence_that_begins_anew_or_is_gone_is_named() -> None:
    anew = msgspec.structs.replace(UP, last_value=None)
    assert told(sequences=[anew]) == [
        "the sequence public.down is missing",
        "the sequence public.unused is missing",
        "the sequence public.up is behind what was recorded",
    ]


def test_an_unused_sequence_may_have_been_used_since() -> None:
    assert told(sequences=[UP, DOWN, msgspec.structs.replace(UNUSED, last_value=4)]) == []


def test_a_lacking_extension_is_named_and_a_newer_or_further_one_is_not() -> None:
    assert told(extensions={"plpgsql": "1.1", "hstore": "1.8"}) == ["the extension citext is missing"]


def test_another_revision_of_the_schema_is_named() -> None:
    assert told(alembic=None) == ["its Alembic revision is None, and b1 was recorded"]


def test_the_manifest_counts_the_rows_of_all_tables() -> None:
    assert RECORDED.rows == 5


def test_of_two_looks_at_a_sequence_the_lower_one_is_certain() -> None:
    assert certain([UP, DOWN, UNUSED], [UP, DOWN, UNUSED]) == [UP, DOWN, UNUSED]
    later = [SequenceFacts("public", "up", 7, 3), SequenceFacts("public", "down", -12, -2)]
    assert certain([UP, DOWN, UNUSED], later) == [msgspec.structs.replace(UP, last_value=7), DOWN]
    assert certain([UP], [SequenceFacts("public", "up", 11, 1)]) == [UP]
    assert certain([UNUSED], [SequenceFacts("public", "unused", 4, 1)]) == [UNUSED]
    assert certain([], [UP]) == []


def test_nothing_is_certain_of_a_sequence_that_was_set_to_its_beginning_or_turned_round() -> None:
    unknown = msgspec.structs.replace(UP, last_value=None)
    assert certain([UP], [unknown]) == [unknown]
    assert certain([UP], [SequenceFacts("public", "up", 20, -1)]) == [unknown]
