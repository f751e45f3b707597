"""A stream is one whole dump, or it is refused; and neither takes much memory to tell."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Iterable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.backup import Bytes
from lambdas.domain.database_errors import DumpDamaged
from lambdas.domain.dump import DumpVerifier, gunzipped, gzipped

MIB = 1024 * 1024
HEAD = b"--\n-- PostgreSQL database dump\n--\n\n\\restrict k1\n\n"
VERSIONS = b"-- Dumped from database version 17.10\n-- Dumped by pg_dump version 17.11\n\n"
TAIL = b"\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict k1\n\n"


def dump_of(body: bytes, versions: bytes = VERSIONS) -> bytes:
    return HEAD + versions + body + TAIL


def verified(pieces: Iterable[bytes]) -> Bytes:
    verifier = DumpVerifier()
    for piece in pieces:
        verifier.update(piece)
    return verifier.finish()


def chopped(stream: bytes, cuts: list[float]) -> list[bytes]:
    """The stream in pieces, cut at these fractions of it; some may be empty."""
    places = sorted(int(cut * len(stream)) for cut in cuts)
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def unpacked(pieces: Iterable[bytes]) -> bytes:
    return b"".join(gunzipped(pieces))


SMALL = dump_of(b"CREATE TABLE t (id integer);\n")
BIG = dump_of(b"COPY t FROM stdin;\n" + b"1\tword\n" * 1000 + b"\\.\n")
PACKED = b"".join(gzipped([SMALL]))
CUTS = st.lists(st.floats(0, 1), max_size=20)
END = "dump-damaged: The dump is not whole: pg_dump has not ended it."


# --- the SQL ----------------------------------------------------------------------------------------------


@given(st.sampled_from([SMALL, BIG]), CUTS)
def test_size_and_hash_are_the_same_however_the_dump_is_cut_into_pieces(dump: bytes, cuts: list[float]) -> None:
    rest = dump.replace(VERSIONS.removesuffix(b"\n"), b"")
    assert verified(chopped(dump, cuts)) == Bytes(len(rest), sha256(rest).hexdigest())


def test_the_versions_of_server_and_client_do_not_count() -> None:
    newer = VERSIONS.replace(b"17.1", b"17.42 (Debian 17.42-1)")
    assert verified([dump_of(b"x", newer)]) == verified([dump_of(b"x")])


@pytest.mark.parametrize(
    "body",
    [
        b"\n" + VERSIONS,
        b"COMMENT ON SCHEMA a IS 'x\n" + VERSIONS + b"';\n",
        b" " * 2000 + b"\n" + VERSIONS,
        b"-- Dumped from database version 1\n",
    ],
)
def test_the_same_words_elsewhere_count(body: bytes) -> None:
    assert verified([dump_of(body)]) != verified([dump_of(body.replace(b"1", b"2", 1))])


def test_a_dump_that_ends_at_any_earlier_byte_is_refused() -> None:
    for end in range(len(SMALL)):
        with pytest.raises(DumpDamaged) as told:
            verified([SMALL[:end]])
        assert str(told.value).startswith(END)


def test_a_dump_that_ends_at_any_earlier_byte_is_refused_though_it_holds_the_words_of_its_end() -> None:
    hostile = dump_of(b"COMMENT ON TABLE t IS '" + TAIL.replace(b"k1", b"k2") + b"more';\n" + b"x" * 2000)
    verified([hostile])
    for end in range(len(hostile) - 300, len(hostile)):
        with pytest.raises(DumpDamaged):
            verified([hostile[:end]])


@given(st.binary(min_size=1, max_size=40))
def test_a_dump_with_anything_after_its_end_is_refused(more: bytes) -> None:
    with pytest.raises(DumpDamaged):
        verified([SMALL, more])


def test_a_dump_that_does_not_restrict_psql_is_refused() -> None:
    with pytest.raises(DumpDamaged):
        verified([SMALL.replace(b"\\unrestrict k1\n\n", b"").replace(b"\\restrict k1\n\n", b"")])


def test_any_changed_byte_changes_the_hash_or_is_refused() -> None:
    whole, versions = verified([SMALL]), range(len(HEAD), len(HEAD) + len(VERSIONS) - 1)
    for at in set(range(len(SMALL))) - set(versions):
        changed = bytearray(SMALL)
        changed[at] ^= 1
        try:
            assert verified([bytes(changed)]) != whole
        except DumpDamaged:
            continue


def test_nothing_is_no_dump() -> None:
    with pytest.raises(DumpDamaged):
        verified([])


# --- its gzip ---------------------------------------------------------------------------------------------


@given(st.binary(max_size=5000), CUTS, CUTS)
def test_what_was_packed_comes_out_however_it_was_cut_into_pieces(
    plain: bytes, cuts: list[float], others: list[float]
) -> None:
    packed = b"".join(gzipped(chopped(plain, cuts)))
    assert unpacked(chopped(packed, others)) == plain


def test_gzip_itself_reads_what_was_packed_and_the_other_way_round() -> None:
    assert gzip.decompress(PACKED) == SMALL
    assert unpacked([gzip.compress(BIG)]) == BIG


@pytest.mark.parametrize("size", [4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB])
def test_what_packs_very_small_comes_out_whole(size: int) -> None:
    assert unpacked([gzip.compress(bytes(size))]) == bytes(size)


def test_a_gzip_that_ends_at_any_earlier_byte_is_refused() -> None:
    for end in range(len(PACKED)):
        with pytest.raises(DumpDamaged) as told:
            unpacked([PACKED[:end]])
        assert "its gzip ends early" in str(told.value)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("more", [b"\0", b"x" * 100, PACKED], ids=["a zero", "bytes", "another member"])
def test_a_gzip_with_anything_after_its_end_is_refused(more: bytes, together: bool) -> None:
    with pytest.raises(DumpDamaged) as told:
        unpacked([PACKED + more] if together else [PACKED, b"", more])
    assert "there are bytes after the end of its gzip member" in str(told.value)


def test_an_empty_piece_after_its_end_is_nothing() -> None:
    assert unpacked([PACKED, b""]) == SMALL


def test_any_changed_bit_is_refused_or_changes_nothing() -> None:
    for at in range(len(PACKED) * 8):
        changed = bytearray(PACKED)
        changed[at // 8] ^= 1 << at % 8
        try:
            assert unpacked([bytes(changed)]) == SMALL
        except DumpDamaged:
            continue


def test_what_is_no_gzip_is_refused() -> None:
    for stream in (b"PGDMP" * 10, zlib.compress(SMALL), SMALL):
        with pytest.raises(DumpDamaged):
            unpacked([stream])


def test_a_little_gzip_that_is_much_takes_little_memory() -> None:
    packed = gzip.compress(bytes(128 * MIB))
    tracemalloc.start()
    size = sum(len(piece) for piece in gunzipped([packed]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 128 * MIB
    assert peak < 24 * MIB


def test_packing_takes_little_memory() -> None:
    noise = random.Random(1).randbytes(MIB)
    tracemalloc.start()
    size = sum(len(piece) for piece in gzipped(noise for _ in range(64)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 60 * MIB
    assert peak < 16 * MIB
