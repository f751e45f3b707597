"""The proof that a stored backup is the one its manifest describes, before its last piece is passed on."""

import hashlib
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.backup import BackupName
from lambdas.domain.errors import BackupDamaged
from lambdas.domain.proof import CiphertextDamaged, Measured, Opener, plaintext_of, prove_intact
from lambdas.domain.vault_manifest import VaultManifest
from tests.domain.builders import NAME, STARTED, manifest_of, snapshot_of

contents = st.binary(min_size=1, max_size=40)
cuts = st.lists(st.integers(0, 40), max_size=6)


def chopped(content: bytes, places: list[int]) -> list[bytes]:
    """The content in pieces, of which some are empty."""
    ends = [*sorted(min(place, len(content)) for place in places), len(content)]
    return [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def sealed(plaintext: bytes) -> bytes:
    """A cipher for these tests: it hides nothing, and has a header."""
    return b"header" + bytes(255 - byte for byte in plaintext)


def opener_in(places: list[int]) -> Opener:
    """Opens what `sealed` made, in these pieces."""

    def open_(ciphertext: Iterable[bytes]) -> Iterator[bytes]:
        whole = b"".join(ciphertext).removeprefix(b"header")
        yield from chopped(bytes(255 - byte for byte in whole), places)

    return open_


OPEN = opener_in([])


def passed_on(manifest: VaultManifest, ciphertext: Iterable[bytes], opener: Opener) -> tuple[bytes, str | None]:
    """What a receiver has got when the stream ends, and why it was cut short, if it was."""
    got = bytearray()
    try:
        for piece in plaintext_of(manifest, ciphertext, opener):
            got += piece
    except BackupDamaged as damage:
        return bytes(got), str(damage).partition("\n")[0]
    return bytes(got), None


def damaged(problem: str) -> str:
    return f"backup-damaged: {NAME.id} is damaged: {problem}."


# --- measuring --------------------------------------------------------------------------------------------


@given(contents, cuts)
def test_a_stream_is_measured_as_it_passes_in_whatever_pieces(content: bytes, places: list[int]) -> None:
    measured = Measured()
    assert b"".join(measured.through(chopped(content, places))) == content
    assert (measured.size, measured.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_nothing_measures_nothing() -> None:
    assert (Measured().size, Measured().sha256) == (0, hashlib.sha256(b"").hexdigest())


# --- the plaintext ----------------------------------------------------------------------------------------


@given(contents, cuts, cuts)
def test_a_good_backup_is_passed_on_whole(content: bytes, of_cipher: list[int], of_plain: list[int]) -> None:
    manifest = manifest_of(content, sealed(content))
    assert passed_on(manifest, chopped(sealed(content), of_cipher), opener_in(of_plain)) == (content, None)


def test_an_empty_backup_is_passed_on_too() -> None:
    assert passed_on(manifest_of(b"", sealed(b"")), [sealed(b"")], OPEN) == (b"", None)


@given(contents, contents, cuts)
def test_the_last_piece_of_another_plaintext_is_never_passed_on(wanted: bytes, found: bytes, places: list[int]) -> None:
    manifest = manifest_of(wanted, sealed(found))
    got, why = passed_on(manifest, [sealed(found)], opener_in(places))
    if wanted == found:
        assert (got, why) == (found, None)
    else:
        assert len(got) < len(found)
        assert why is not None


@given(contents, contents, cuts)
def test_the_last_piece_out_of_another_object_is_never_passed_on(
    content: bytes, other: bytes, places: list[int]
) -> None:
    manifest = manifest_of(content, other)
    got, why = passed_on(manifest, [sealed(content)], opener_in(places))
    assert len(got) < len(content)
    assert why is not None


@given(contents, cuts)
def test_the_last_piece_is_never_passed_on_when_the_message_does_not_open(content: bytes, places: list[int]) -> None:
    def failing(ciphertext: Iterable[bytes]) -> Iterator[bytes]:
        yield from opener_in(places)(ciphertext)
        raise CiphertextDamaged("there are bytes after its end")

    got, why = passed_on(manifest_of(content, sealed(content)), [sealed(content)], failing)
    assert len(got) < len(content)
    assert why == damaged("there are bytes after its end")


def test_bytes_that_the_opener_did_not_even_read_are_found() -> None:
    def hasty(ciphertext: Iterable[bytes]) -> Iterator[bytes]:
        yield from OPEN([next(iter(ciphertext))])

    manifest = manifest_of(b"plain", sealed(b"plain"))
    got, why = passed_on(manifest, [sealed(b"plain"), b"appended"], hasty)
    assert got == b""
    assert why == damaged("the stored object has 19 bytes, and its manifest says 11")


@pytest.mark.parametrize(
    ("plaintext", "ciphertext", "problem"),
    [
        (b"plain", b"longer than sealed", "the stored object has 11 bytes, and its manifest says 18"),
        (b"plain", b"elevenbytes", "the stored object has another SHA-256 than its manifest says"),
        (b"longer", sealed(b"plain"), "the snapshot inside it has 5 bytes, and its manifest says 6"),
        (b"PLAIN", sealed(b"plain"), "the snapshot inside it has another SHA-256 than its manifest says"),
    ],
)
def test_what_differs_from_the_manifest_is_said(plaintext: bytes, ciphertext: bytes, problem: str) -> None:
    got, why = passed_on(manifest_of(plaintext, ciphertext), [sealed(b"plain")], OPEN)
    assert (got, why) == (b"", damaged(problem))


# --- the proof --------------------------------------------------------------------------------------------

SNAPSHOT = snapshot_of(b"state", index=42, term=3)


def prove(plaintext: bytes) -> None:
    prove_intact(manifest_of(plaintext, sealed(plaintext)), [sealed(plaintext)], OPEN)


def test_a_whole_snapshot_under_its_manifest_is_intact() -> None:
    prove(SNAPSHOT)


@pytest.mark.parametrize(
    ("plaintext", "problem"),
    [
        (
            SNAPSHOT[:-1],
            "The snapshot stream is not a whole Vault snapshot: it ends before its gzip trailer",
        ),
        (
            SNAPSHOT + b"x",
            "The snapshot stream is not a whole Vault snapshot: there are bytes after its end",
        ),
        (b"", "The snapshot stream is not a whole Vault snapshot: it ends before its gzip trailer"),
        (snapshot_of(b"state", index=43, term=3), "it holds another snapshot than its manifest says"),
        (snapshot_of(b"state", index=42, term=4), "it holds another snapshot than its manifest says"),
    ],
)
def test_a_backup_of_something_else_is_not_intact(plaintext: bytes, problem: str) -> None:
    with pytest.raises(BackupDamaged) as caught:
        prove(plaintext)
    assert str(caught.value).partition("\n")[0] == damaged(problem)


def test_a_backup_that_differs_from_its_manifest_is_not_intact() -> None:
    manifest = manifest_of(SNAPSHOT, sealed(SNAPSHOT))
    with pytest.raises(BackupDamaged, match="the stored object has 7 bytes"):
        prove_intact(manifest, [sealed(b"x")], OPEN)


def test_damage_names_the_cure_of_the_series() -> None:
    name = BackupName("vault", "pre-restore", STARTED)
    manifest = manifest_of(SNAPSHOT, sealed(SNAPSHOT), backup_id=name.id, series=name.series)
    with pytest.raises(BackupDamaged, match="only nightly ones have a copy"):
        prove_intact(manifest, [sealed(b"x")], OPEN)
