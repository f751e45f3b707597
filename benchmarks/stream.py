"""One way for bytes to pass, in a process of its own, so that its peak of memory is known.

python -m benchmarks.stream out|in|sdk-out|sdk-in|bare-out|bare-in MB
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator

import aws_encryption_sdk
from aws_encryption_sdk.identifiers import CommitmentPolicy, EncryptionKeyType
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab.actions import peak_bytes
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.envelope import ALGORITHM, FRAME_BYTES, Envelope, OfflineKeyProvider
from lambdas.adapters.streams import IteratorReader
from lambdas.domain.backup import CatalogRow
from lambdas.domain.proof import Measured

_CONTEXT = {"purpose": "benchmark"}
_PIECE = os.urandom(256 * 1024)
_KEY = "vault/benchmark"
_NIGHT = "2026-11-22T02:00:00+00:00"
_ROW = CatalogRow(
    "benchmark", "vault", "daily", _NIGHT[:10], _NIGHT, _KEY, "1", "1", 0, "stored", "pending", "benchmark", "", 0
)


def _pieces(size: int) -> Iterator[bytes]:
    """What a snapshot from Vault looks like on its way: pieces of 256 KiB."""
    for _ in range(size // len(_PIECE)):
        yield _PIECE


# --- ours: hashed, sealed to both recipients, stored; and back -------------------------------------------


def _envelope() -> Envelope:
    return Envelope(os.environ["BENCH_KEY"], os.environ["BENCH_PUBLIC_KEY"])


def _store() -> BackupStore:
    return BackupStore(os.environ["AWS_REGION"], "benchmark")


def _out(size: int) -> None:
    plain, encrypted = Measured(), Measured()
    with _store().upload(_KEY) as upload:
        for piece in encrypted.through(_envelope().seal(plain.through(_pieces(size)), _CONTEXT)):
            upload.write(piece)
        upload.complete()


def _in(size: int) -> None:
    plain, encrypted = Measured(), Measured()
    for _ in plain.through(_envelope().open(encrypted.through(_store().read(_ROW)), _CONTEXT)):
        pass
    assert plain.size == size


# --- the SDK alone, in memory ---------------------------------------------------------------------------


def _sdk() -> aws_encryption_sdk.EncryptionSDKClient:
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


def _sdk_sealed(size: int) -> Iterator[bytes]:
    provider = OfflineKeyProvider.of(os.environ["BENCH_PUBLIC_KEY"], EncryptionKeyType.PUBLIC)
    source = IteratorReader(_pieces(size))
    with _sdk().stream(
        mode="e", source=source, key_provider=provider, algorithm=ALGORITHM, frame_length=FRAME_BYTES
    ) as encryptor:
        while piece := encryptor.read(FRAME_BYTES):
            yield piece


def _sdk_in(sealed: list[bytes]) -> None:
    provider = OfflineKeyProvider.of(os.environ["BENCH_PRIVATE_KEY"], EncryptionKeyType.PRIVATE)
    with _sdk().stream(mode="d", source=IteratorReader(sealed), key_provider=provider) as decryptor:
        while decryptor.read(FRAME_BYTES):
            pass


# --- AES-256-GCM alone ----------------------------------------------------------------------------------


def _bare_sealed(size: int) -> Iterator[bytes]:
    cipher, chunk = AESGCM(b"k" * 32), _PIECE * (FRAME_BYTES // len(_PIECE))
    for number in range(size // FRAME_BYTES):
        yield cipher.encrypt(number.to_bytes(12, "big"), chunk, None)


def _bare_in(sealed: list[bytes]) -> None:
    cipher = AESGCM(b"k" * 32)
    for number, chunk in enumerate(sealed):
        cipher.decrypt(number.to_bytes(12, "big"), chunk, None)


def _through(sealed: Iterator[bytes]) -> None:
    for _ in sealed:
        pass


def _prepared(way: str, size: int) -> Callable[[], None]:
    """What is to be timed; what is to be decrypted is there already."""
    if way == "sdk-in":
        sealed = list(_sdk_sealed(size))
        return lambda: _sdk_in(sealed)
    if way == "bare-in":
        chunks = list(_bare_sealed(size))
        return lambda: _bare_in(chunks)
    ways: dict[str, Callable[[], None]] = {
        "out": lambda: _out(size),
        "in": lambda: _in(size),
        "sdk-out": lambda: _through(_sdk_sealed(size)),
        "bare-out": lambda: _through(_bare_sealed(size)),
    }
    return ways[way]


def main(way: str, megabytes: str) -> None:
    """Pass the bytes, and print the seconds and the peak of memory in bytes."""
    run = _prepared(way, int(megabytes) * 2**20)
    began = time.monotonic()
    run()
    print(json.dumps({"seconds": time.monotonic() - began, "peak": peak_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
