"""A stream is one whole Vault snapshot, or it is refused; and neither takes much memory to tell."""

import gzip
import itertools
import json
import random
import tarfile
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.snapshot import SnapshotFacts, SnapshotVerifier
from lambdas.domain.vault_errors import SnapshotDamaged
from tests.domain.builders import members_of, packed, snapshot_of, sums_of, tar_of

KIB, MIB = 1024, 1024 * 1024


def verify(pieces: Iterable[bytes]) -> SnapshotFacts:
    verifier = SnapshotVerifier()
    for piece in pieces:
        verifier.update(piece)
    return verifier.finish()


def problem_of(stream: bytes) -> str:
    """Why a stream is refused, whole or byte by byte: the answer must be the same."""
    with pytest.raises(SnapshotDamaged) as whole:
        verify([stream])
    if len(stream) < 2000:
        with pytest.raises(SnapshotDamaged) as chopped:
            verify(bytes([byte]) for byte in stream)
        assert str(chopped.value) == str(whole.value)
    sentence = str(whole.value).partition("\n")[0]
    return sentence.removeprefix("snapshot-damaged: The snapshot stream is not a whole Vault snapshot: ")


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same in every run."""
    return random.Random(size).randbytes(size)


SMALL = snapshot_of(b"the state of a small Vault")
SMALL_FACTS = SnapshotFacts(index=42, term=3, state_bytes=26)
SIZES = [0, 1, 511, 512, 513, 10_000, 300_000, 3 * MIB]
SNAPSHOTS = {size: snapshot_of(noise(size)) for size in SIZES}


# --- what is whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_snapshot_of_any_size_says_what_it_holds(size: int) -> None:
    assert verify([SNAPSHOTS[size]]) == SnapshotFacts(index=42, term=3, state_bytes=size)


@given(st.sampled_from(SIZES), st.lists(st.floats(0, 1), max_size=12))
def test_a_whole_snapshot_is_accepted_however_it_is_chopped(size: int, cuts: list[float]) -> None:
    stream = SNAPSHOTS[size]
    places = [0, *sorted(int(cut * len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert verify(pieces) == SnapshotFacts(index=42, term=3, state_bytes=size)


def test_a_whole_snapshot_is_accepted_byte_by_byte() -> None:
    assert verify(bytes([byte]) for byte in SMALL) == SMALL_FACTS


@pytest.mark.parametrize("blocks", range(510, 516))
@pytest.mark.parametrize("level", [0, 6])
def test_a_snapshot_that_ends_where_a_piece_of_the_inflated_archive_ends_is_whole_too(blocks: int, level: int) -> None:
    archive = tar_of(members_of(b"x" * 1000)).ljust(blocks * 512, b"\0")
    stream = gzip.compress(archive, level, mtime=0)
    assert verify([stream]).state_bytes == 1000
    assert verify([stream[:-1], stream[-1:]]).state_bytes == 1000
    assert verify([stream[:-8], stream[-8:]]).state_bytes == 1000


def test_a_snapshot_that_its_seal_has_signed_is_whole_too() -> None:
    members = [*members_of(b"state"), ("SHA256SUMS.sealed", b"signature")]
    assert verify([packed(members)]).state_bytes == 5


def test_the_order_of_the_members_makes_no_difference() -> None:
    assert verify([packed(reversed(members_of(b"state")))]).state_bytes == 5


# --- damage on the way ------------------------------------------------------------------------------------


def refused_or_the_same(stream: bytes, offset: int, bit: int) -> bool:
    """Whether a snapshot with one bit flipped is refused; if it is not, the bit must have had no meaning."""
    flipped = bytearray(stream)
    flipped[offset] ^= 1 << bit
    try:
        facts = verify([bytes(flipped)])
    except SnapshotDamaged:
        return True
    assert facts == verify([stream])
    assert gzip.decompress(flipped) == gzip.decompress(stream)
    return False


def test_no_flipped_bit_makes_another_snapshot_of_it() -> None:
    flips = [(offset, bit) for offset in range(len(SMALL)) for bit in range(8)]
    refused = sum(refused_or_the_same(SMALL, offset, bit) for offset, bit in flips)
    without_meaning = 80  # the time, the system and the name of the compressor in the header of gzip, and some padding
    assert refused >= len(flips) - without_meaning


@given(st.sampled_from([511, 10_000, 300_000]), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_no_flipped_bit_of_a_larger_state_makes_another_snapshot_of_it(size: int, place: float, bit: int) -> None:
    stream = SNAPSHOTS[size]
    refused_or_the_same(stream, int(place * len(stream)), bit)


@pytest.mark.parametrize("length", range(len(SMALL)))
def test_a_snapshot_cut_anywhere_is_refused(length: int) -> None:
    assert problem_of(SMALL[:length]) == "it ends before its gzip trailer."


@pytest.mark.parametrize("more", [b"\0", b"x", b"\0" * 512, gzip.compress(b"", mtime=0), SMALL])
def test_bytes_after_the_end_are_refused(more: bytes) -> None:
    assert problem_of(SMALL + more) == "there are bytes after its end."


def test_what_is_not_gzip_is_refused() -> None:
    said = "it does not decompress (Error -3 while decompressing data: incorrect header check)."
    assert problem_of(b'{"errors":["permission denied"]}') == said


def test_an_answer_without_a_byte_is_refused() -> None:
    assert problem_of(b"") == "it ends before its gzip trailer."


# --- an archive that is not right -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["meta.json", "state.bin", "SHA256SUMS"])
def test_a_missing_member_is_named(name: str) -> None:
    members = [member for member in members_of(b"state") if member[0] != name]
    assert problem_of(packed(members)) == f"it has no {name}."


@pytest.mark.parametrize("name", ["meta.json", "state.bin", "SHA256SUMS"])
def test_a_member_that_stands_twice_is_named(name: str) -> None:
    members = members_of(b"state")
    assert problem_of(packed([*members, (name, dict(members)[name])])) == f"its archive holds {name} twice."


@pytest.mark.parametrize("name", ["other", "../state.bin", "/meta.json", "./state.bin", "a/meta.json"])
def test_a_member_that_does_not_belong_there_is_refused(name: str) -> None:
    stream = packed([*members_of(b"state"), (name, b"x")])
    assert problem_of(stream) == "its archive holds a member that does not belong there."


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.XHDTYPE])
def test_a_member_that_is_no_file_is_refused(kind: bytes) -> None:
    assert problem_of(_with_first_header(type=kind)) == "its archive holds a member that does not belong there."


def test_a_member_of_less_than_no_bytes_is_refused() -> None:
    assert problem_of(_with_first_header(size=-5)) == "its archive holds a member that does not belong there."


@pytest.mark.parametrize("name", ["meta.json", "SHA256SUMS", "SHA256SUMS.sealed"])
def test_a_member_that_is_too_large_to_keep_is_named(name: str) -> None:
    members = dict(members_of(b"state")) | {name: b" " * (64 * KIB + 1)}
    assert problem_of(packed(members.items())) == f"its {name} is too large."


def test_a_member_may_be_as_large_as_64_kib() -> None:
    (_, meta), state, _ = members_of(b"state")
    members = [("meta.json", meta.ljust(64 * KIB)), state]
    assert verify([packed([*members, ("SHA256SUMS", sums_of(members))])]).state_bytes == 5


def test_an_archive_that_goes_on_after_its_end_is_refused() -> None:
    archive = tar_of(members_of(b"state"))
    assert problem_of(gzip.compress(archive + archive, mtime=0)) == "its archive goes on after its end."
    assert problem_of(gzip.compress(archive + b"x", mtime=0)) == "its archive goes on after its end."


def test_an_archive_without_its_end_is_refused() -> None:
    archive = tar_of(members_of(b"state")).rstrip(b"\0")
    without_end = archive.ljust(-(-len(archive) // 512) * 512, b"\0")
    for length in (0, 100, 512, 600, 1024, len(without_end) - 1, len(without_end)):
        assert problem_of(gzip.compress(without_end[:length], mtime=0)) == "it ends in the middle of its archive."


def test_an_archive_that_is_none_is_refused() -> None:
    assert problem_of(gzip.compress(b"x" * 512, mtime=0)) == "its archive cannot be read."


# --- contents that do not fit each other ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["meta.json", "state.bin"])
def test_a_wrong_checksum_is_refused(name: str) -> None:
    members = dict(members_of(b"state"))
    others = dict(members_of(b"State", index=43))
    stream = packed((members | {name: others[name]}).items())
    assert problem_of(stream) == f"the checksum of {name} is wrong."


def test_a_checksum_that_is_not_listed_is_refused() -> None:
    meta, state, _ = members_of(b"state")
    assert problem_of(packed([meta, state, ("SHA256SUMS", sums_of([meta]))])) == "the checksum of state.bin is wrong."


@pytest.mark.parametrize("sums", [b"one two three\n", b"one\n", b"\xff\xff  state.bin\n"])
def test_checksums_that_cannot_be_read_are_refused(sums: bytes) -> None:
    members = dict(members_of(b"state")) | {"SHA256SUMS": sums}
    assert problem_of(packed(members.items())) == "its SHA256SUMS cannot be read."


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"Index": 1, "Term": 1}',
        b'{"Index": "x", "Term": 1, "Size": 5}',
        b'{"Index": null, "Term": 1, "Size": 5}',
        b'{"Index": 1, "Term": [], "Size": 5}',
        b'{"Index": 1, "Term": 1e999, "Size": 5}',
        b"[" * 60_000,
    ],
)
def test_a_description_that_cannot_be_read_is_refused(meta: bytes) -> None:
    assert problem_of(_described_by(meta)) == "its meta.json cannot be read."


@pytest.mark.parametrize("size", [4, 6, 0, -5])
def test_a_state_of_another_size_than_described_is_refused(size: int) -> None:
    meta = json.dumps({"Index": 1, "Term": 1, "Size": size}).encode()
    assert problem_of(_described_by(meta)) == "its state has another size than meta.json says."


# --- memory -----------------------------------------------------------------------------------------------


def test_a_state_that_inflates_a_thousandfold_is_verified_in_little_memory() -> None:
    stream = snapshot_of(bytes(64 * MIB))
    assert len(stream) < MIB
    tracemalloc.start()
    try:
        assert verify([stream]).state_bytes == 64 * MIB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * MIB


def _described_by(meta: bytes) -> bytes:
    members = [("meta.json", meta), ("state.bin", b"state")]
    return packed([*members, ("SHA256SUMS", sums_of(members))])


def _with_first_header(**changes: object) -> bytes:
    """A snapshot whose first member is not what it should be."""
    archive = tar_of(members_of(b"state"))
    header = tarfile.TarInfo.frombuf(archive[:512], "utf-8", "strict")
    for name, value in changes.items():
        setattr(header, name, value)
    return gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + archive[512:], mtime=0)
