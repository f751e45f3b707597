"""`docs/backup-format.md`: a stranger opens a backup by that page, with nothing of ours and no SDK."""

import base64
import gzip
import hashlib
import hmac
import io
import json
import re
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.aws import ROOT
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import MANIFEST_FORMAT, SignedManifest
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.inventory import SecretDigest
from lambdas.domain.vault_manifest import VaultManifest
from tests.actions.conftest import MASTER_KEY, SEAL_KEY, SECRETS, TENANTS
from tests.actions.house import Keys, SavedBackup
from tests.scenarios.commands import SUM_OF_DUMP, VERIFY

PAGE = (ROOT / "docs" / "backup-format.md").read_text()


# --- what the stranger writes, following the page ---------------------------------------------------------


class Message:
    """A message of the AWS Encryption SDK, as section "The encryption" describes it."""

    def __init__(self, raw: bytes) -> None:
        self._stream = io.BytesIO(raw)
        assert self._take(1) == b"\x02"
        assert self._take(2) == b"\x04\x78"
        self._id = self._take(32)
        self._number(2)
        self.context = {self._text(): self._text() for _ in range(self._number(2))}
        self._recipients = {self._text(): (self._text(), self._bytes()) for _ in range(self._number(2))}
        assert self._take(1) == b"\x02"
        self._frame = self._number(4)
        self._commitment = self._take(32)
        self._header = raw[: self._stream.tell()]

    def _take(self, size: int) -> bytes:
        found = self._stream.read(size)
        assert len(found) == size
        return found

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size))

    def _bytes(self) -> bytes:
        return self._take(self._number(2))

    def _text(self) -> str:
        return self._bytes().decode()

    @property
    def recipients(self) -> dict[str, str]:
        return {provider: name for provider, (name, _) in self._recipients.items()}

    def opened(self, key: RSAPrivateKey) -> bytes:
        _, sealed = self._recipients["mailark-offline"]
        data_key = key.decrypt(sealed, OAEP(MGF1(SHA256()), SHA256(), None))
        assert self._derived(data_key, b"COMMITKEY") == self._commitment
        cipher = AESGCM(self._derived(data_key, b"\x04\x78DERIVEKEY"))
        assert cipher.decrypt(bytes(12), self._take(16), self._header) == b""
        return b"".join(self._frames(cipher))

    def _derived(self, data_key: bytes, info: bytes) -> bytes:
        return HKDF(SHA512(), length=32, salt=self._id, info=info).derive(data_key)

    def _frames(self, cipher: AESGCM) -> Iterator[bytes]:
        number, final = 0, False
        while not final:
            number += 1
            found = self._number(4)
            final = found == 0xFFFFFFFF
            if final:
                found = self._number(4)
            assert found == number
            iv = self._take(12)
            size = self._number(4) if final else self._frame
            kind = b"AWSKMSEncryptionClient Final Frame" if final else b"AWSKMSEncryptionClient Frame"
            yield cipher.decrypt(iv, self._take(size + 16), self._id + kind + struct.pack(">IQ", number, size))
        assert self._stream.read() == b""


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def stranger(keys: Keys) -> RSAPrivateKey:
    key = load_pem_private_key(keys.offline_private.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


@pytest.fixture
def manifest(saved: SavedBackup) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(saved.manifest)
    return found


def _unwrapped(wrapped: dict[str, Any], stranger: RSAPrivateKey) -> bytes:
    message = Message(base64.b64decode(wrapped["message"]))
    assert wrapped["context"].items() <= message.context.items()
    return message.opened(stranger)


# --- what the stranger sees -------------------------------------------------------------------------------


def test_the_object_opens_and_is_the_snapshot_that_the_manifest_describes(
    saved: SavedBackup, manifest: dict[str, Any], stranger: RSAPrivateKey
) -> None:
    message = Message(saved.content)
    assert message.context.items() >= manifest["encryption"]["context"].items()
    assert manifest["encryption"]["context"] == {
        "purpose": "backup",
        "backup_id": saved.id,
        "kind": "vault",
        "date": "2026-11-22",
    }
    assert message.recipients == {"aws-kms": manifest["encryption"]["key_id"], "mailark-offline": "offline"}
    snapshot = message.opened(stranger)
    for part, content in (("ciphertext", saved.content), ("plaintext", snapshot)):
        assert manifest[part] == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(snapshot))) as archive:
        names = archive.getnames()
        meta = json.load(archive.extractfile("meta.json"))  # type: ignore[arg-type]  # it is a file
        state = archive.getmember("state.bin")
    assert {"meta.json", "state.bin", "SHA256SUMS"} <= set(names) <= {*names, "SHA256SUMS.sealed"}
    assert (meta["Index"], meta["Term"]) == (manifest["source"]["raft_index"], manifest["source"]["raft_term"])
    assert meta["Size"] == state.size


def test_one_changed_byte_of_the_object_is_noticed_by_what_the_page_says(
    saved: SavedBackup, stranger: RSAPrivateKey
) -> None:
    content = bytearray(saved.content)
    content[-30] ^= 1
    with pytest.raises(InvalidTag):
        Message(bytes(content)).opened(stranger)


def test_the_keys_in_the_manifest_open(manifest: dict[str, Any], stranger: RSAPrivateKey) -> None:
    opened = {key["name"]: _unwrapped(key, stranger) for key in manifest["keys"]}
    assert opened == {"platform-master-key": MASTER_KEY, "vault-seal-key/k1": SEAL_KEY}
    for key in manifest["keys"]:
        assert key["context"] == {"purpose": "backup-key", "name": key["name"], "backup_id": manifest["backup_id"]}


def test_the_digests_are_those_of_what_vault_held(manifest: dict[str, Any], stranger: RSAPrivateKey) -> None:
    key = _unwrapped(manifest["contents"]["digest_key"], stranger)
    found = {path: digest for path, version, digest in manifest["contents"]["secrets"] if version == 1}
    for path, data in SECRETS.items():
        content = canonical({"path": path, "version": 1, "data": data, "custom_metadata": {}})
        assert found[path] == hmac.new(key, content, "sha256").hexdigest()


def test_a_password_decrypts(manifest: dict[str, Any], stranger: RSAPrivateKey) -> None:
    tenant = TENANTS[0]
    master_key = next(_unwrapped(key, stranger) for key in manifest["keys"] if key["name"] == "platform-master-key")
    raw = base64.b64decode(SECRETS[f"smtp/{tenant.path}"]["password"])
    key = HKDF(SHA256(), length=32, salt=tenant.id.encode(), info=b"smtp-credential").derive(master_key)
    assert AESGCM(key).decrypt(raw[:16], raw[32:] + raw[16:32], None).decode() == tenant.password


# --- a dump -----------------------------------------------------------------------------------------------


@pytest.fixture
def of_dump(dumped: SavedBackup) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dumped.manifest)
    return found


def test_the_object_of_a_dump_opens_and_is_the_sql_that_its_manifest_describes(
    dumped: SavedBackup, of_dump: dict[str, Any], stranger: RSAPrivateKey, tmp_path: Path
) -> None:
    message = Message(dumped.content)
    assert message.context.items() >= of_dump["encryption"]["context"].items()
    assert of_dump["encryption"]["context"] == {
        "purpose": "backup",
        "backup_id": dumped.id,
        "kind": "database",
        "date": "2026-11-22",
    }
    dump = message.opened(stranger)
    for part, content in (("ciphertext", dumped.content), ("plaintext", dump)):
        assert of_dump[part] == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert b"COPY public.messages " in gzip.decompress(dump)

    (tmp_path / dumped.id).write_bytes(dump)
    done = subprocess.run(
        ["sh", "-c", SUM_OF_DUMP], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split()[0] == of_dump["contents"]["sql"]["sha256"]


def test_the_roles_in_the_manifest_of_a_dump_open_and_have_its_key_of_restrict(
    of_dump: dict[str, Any], stranger: RSAPrivateKey
) -> None:
    sealed = of_dump["contents"]["globals"]
    assert sealed["context"] == {"purpose": "backup-key", "name": "roles.sql", "backup_id": of_dump["backup_id"]}
    roles = _unwrapped(sealed, stranger).decode()
    assert "CREATE ROLE smtpy;" in roles
    assert f"\\restrict {of_dump['contents']['restrict_key']}\n" in roles


def test_the_manifest_of_a_dump_is_canonical_json(dumped: SavedBackup, of_dump: dict[str, Any]) -> None:
    assert dumped.manifest == canonical(of_dump)


# --- the manifest -----------------------------------------------------------------------------------------


def test_the_manifest_is_canonical_json(saved: SavedBackup, manifest: dict[str, Any]) -> None:
    assert saved.manifest == canonical(manifest)


@pytest.mark.parametrize("changed", [False, True])
def test_openssl_verifies_the_signature(saved: SavedBackup, keys: Keys, tmp_path: Path, changed: bool) -> None:
    raw = saved.manifest.replace(b'"series":"daily"', b'"series":"pre-restore"') if changed else saved.manifest
    (tmp_path / f"{saved.id}.manifest.json").write_bytes(raw)
    (tmp_path / "evidence.pem").write_text(SigningKey(keys.arn("evidence")).public_pem())
    for command in VERIFY:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or (changed and command == VERIFY[-1]), done.stderr
    assert done.stdout.strip() == ("Verification failure" if changed else "Verified OK")


_TYPES = {
    "bool": "true or false",
    "int": "number",
    "float": "number",
    "str": "text",
    "dict": "names and texts",
    "list": "list of texts",
    "literal": "text",
    "none": "null",
}


def _fields(kind: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every field of the manifest and its type, in the page's words."""
    for field in msgspec.inspect.type_info(kind).fields:  # type: ignore[attr-defined]  # it is a struct
        yield from _field(field.type, prefix + field.encode_name)


def _field(info: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(info, msgspec.inspect.UnionType):
        structs = [each for each in info.types if isinstance(each, msgspec.inspect.StructType)]
        info = structs[0] if structs else info
    if isinstance(info, msgspec.inspect.StructType):
        yield from _fields(info.cls, f"{name}.")
    elif isinstance(info, msgspec.inspect.ListType) and isinstance(info.item_type, msgspec.inspect.StructType):
        if info.item_type.cls is SecretDigest:
            yield name, "list of lists"
        else:
            yield from _fields(info.item_type.cls, f"{name}[].")
    else:
        kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else [info]
        yield name, " or ".join(_TYPES[type(kind).__name__.removesuffix("Type").lower()] for kind in kinds)


def _table(heading: str) -> list[tuple[str, str]]:
    """The fields in the table of a section, and their types."""
    _, _, section = PAGE.partition(f"\n{heading}\n")
    return re.findall(r"^\| `([a-z0-9_.\[\]]+)` \| ([a-z ]+) \|", section.partition("\n#")[0], re.MULTILINE)


def test_the_page_names_every_field_of_every_manifest_with_its_type() -> None:
    assert _table("## The manifest") == list(_fields(SignedManifest))
    assert f"| `format` | text | `{MANIFEST_FORMAT}` |" in PAGE


@pytest.mark.parametrize(
    ("kind", "heading"), [(VaultManifest, "### Of a snapshot"), (DatabaseManifest, "### Of a dump")]
)
def test_the_page_names_every_field_that_a_manifest_of_one_kind_has_besides(kind: type, heading: str) -> None:
    common = {*_fields(SignedManifest)}
    assert _table(heading) == [field for field in _fields(kind) if field not in common]


@pytest.mark.parametrize("part", ["encryption.format", "encryption.algorithm", "encryption.frame_bytes"])
def test_what_a_backup_says_of_its_encryption_is_what_the_page_says(manifest: dict[str, Any], part: str) -> None:
    group, _, name = part.partition(".")
    value = manifest[group][name]
    assert (f"{value:,}" if isinstance(value, int) else value) in PAGE
