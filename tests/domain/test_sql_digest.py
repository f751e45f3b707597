"""What a dump says is told apart from the words that PostgreSQL says it in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.sql_digest import SqlDigest

DUMP = b"""--
-- PostgreSQL database dump
--

\\restrict k

-- Dumped from database version 17.4
-- Dumped by pg_dump version 17.10

CREATE TABLE public.t (
    id integer,
    s character varying(20),
    CONSTRAINT c CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))
);

COPY public.empty (id) FROM stdin;
\\.

COPY public.t (id, s) FROM stdin;
1\ta (b)::text
2\t\\\\.
\\.

GRANT SELECT ON TABLE public.t TO app;
"""


def _digest(*pieces: bytes) -> str:
    digest = SqlDigest()
    assert b"".join(digest.through(pieces)) == b"".join(pieces)
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        (
            b"(((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
            b"(((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))",
        ),
        (b"version 17.4", b"version 17.9"),
        (b"pg_dump version 17.10", b"pg_dump version 17.11"),
        (b"integer,\n    s", b"integer, s"),
    ],
)
def test_other_words_for_an_expression_and_other_programs_are_no_difference(was: bytes, is_now: bytes) -> None:
    assert was in DUMP
    assert _digest(DUMP.replace(was, is_now)) == _digest(DUMP)


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        (b"1\ta (b)::text", b"1\ta b"),
        (b"1\ta (b)::text\n", b""),
        (b"'b'", b"'c'"),
        (b"= ANY", b"<> ALL"),
        (b"character varying(20)", b"character varying(30)"),
        (b"GRANT SELECT ON TABLE public.t TO app;\n", b""),
        (b"TO app", b"TO PUBLIC"),
        (b"COPY public.empty (id)", b"COPY public.empty (id, more)"),
        (b"CONSTRAINT c", b"CONSTRAINT d"),
        (b"id integer", b"id bigint"),
    ],
)
def test_anything_else_is_one(was: bytes, is_now: bytes) -> None:
    assert was in DUMP
    assert _digest(DUMP.replace(was, is_now)) != _digest(DUMP)


@pytest.mark.parametrize(
    "cast",
    [
        "text",
        "text[]",
        "character varying",
        "character varying(20)",
        "double precision",
        "numeric(10,2)",
        "timestamp(3) with time zone",
        "time without time zone",
        "public.colour",
        '"Odd ""Type"""',
        'app."Odd Type"[]',
        "bit varying(3)[]",
    ],
)
def test_a_cast_of_any_type_is_other_words(cast: str) -> None:
    assert _digest(f"DEFAULT ('x'::{cast}),\n".encode()) == _digest(b"DEFAULT 'x',\n")


@given(st.lists(st.integers(0, len(DUMP)), max_size=8))
def test_how_a_dump_comes_in_pieces_is_no_difference(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(DUMP)]
    assert _digest(*(DUMP[a:b] for a, b in pairwise(cuts))) == _digest(DUMP)


def test_the_last_line_counts_without_a_line_feed() -> None:
    assert _digest(b"a\nb") != _digest(b"a\n")


def test_memory_does_not_grow_with_rows() -> None:
    digest = SqlDigest()
    digest.update(b"COPY public.t (id) FROM stdin;\n")
    for _ in range(100):
        digest.update(b"x" * 10_000)
    assert len(digest._rest) < 10  # what it keeps is what this is about
