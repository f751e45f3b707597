"""Small valid things for the tests of the rules: an estate, a snapshot, a manifest, a row of the catalog."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambdas.domain.backup import (
    MANIFEST_FORMAT,
    BackupName,
    Bytes,
    CatalogRow,
    Encryption,
    Maker,
    ProofLevel,
    Series,
    Signature,
    WrappedKey,
)
from lambdas.domain.estate import Estate, parse_estate
from lambdas.domain.inventory import SecretDigest, Window
from lambdas.domain.vault_manifest import Contents, Source, VaultManifest

OFFLINE_KEY = """\
-----BEGIN PUBLIC KEY-----
MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAsj+O63ZQVGW1QmGy/Lub
luZqgqOb8y3gno4NxYHUfWcERcWjovy4KBvRpyYu0liylNnUjkWMJdiS1UyNExQd
sKxZGffLX38Ets6Uvr38Fi4KaGP/C+bqRZz4nwQhSYwR/UZUDeGDNx7KzRwDkNDX
hzJzLgJZvvjRYt2/L+16AXJ/RhFt9WjxD6usXIllcr3ksUg9X8u15W8o6JoWizjv
qpFnrkwxEj6+Rnzsz+0TC6k50HhVgQEgFH0j/cxvnQMUtbym5Qa9MHHbHZMKlWo2
VcLRzGyOwxLz8aaZEOe4VxwX0/TgWYVTxSDbZzBh7S0+5Deru1BSmX9x5DIhRRPZ
9bcRXXOwnxKEil7XhQQBohNtzCZKYgzfuZUE3diBJqwjpP4G1s55h0zyByNbCwsb
Km9OyerBSFTBxYGf6hAtpf1ONTCceAfmqHJNGghX8ZiM4ABG3fYkn36aHyavkGrP
IR2vww7fp3M80RBHE8cMqVgx/x1t7k67853HpHlWwCK7AgMBAAE=
-----END PUBLIC KEY-----
"""

ESTATE = """\
name: example
regions:
  primary: eu-central-1
  standby: eu-west-1
alerts:
  operations:
    email: [oncall@example.net]
    sms: ["+4915112345678"]
  security:
    email: [security@example.net]
    webhook: [https://chat.example.net/hook]
protected_domains: [example.org]
vault:
  address: https://vault.example.org:8200
  staging: { address: https://staging.example.net }
  mounts: [smtp, vps]
  canary: smtp/test-tenant-id/admin
  seal: { type: static, key_id: k1 }
  host_principal: arn:aws:iam::111122223333:role/vault-host
offline_public_key: |
""" + "".join(f"  {line}\n" for line in OFFLINE_KEY.splitlines())

_SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret"
DATABASE = f"""\
database:
  name: smtpy
  major: 17
  server: {{ host: db.example.org, secret: "{_SECRET}:db-AbCdEf" }}
  staging: {{ host: db-staging.example.org, secret: "{_SECRET}:db-staging-AbCdEf" }}
  service_secret: {_SECRET}:service-AbCdEf
"""
"""The part of an estate that has a database: put it after `ESTATE`, which has none."""

CREDENTIALS = "credentials:\n  notices_from: security@mailark.example.net\n"
"""The part that has tenants' credentials."""


def estate_of(text: str = ESTATE) -> Estate:
    """An estate from its text."""
    return parse_estate(text)


# --- snapshots --------------------------------------------------------------------------------------------


def snapshot_of(state: bytes, index: int = 42, term: int = 3) -> bytes:
    """A valid Vault snapshot that holds `state`."""
    return packed(members_of(state, index, term))


def members_of(state: bytes, index: int = 42, term: int = 3) -> list[tuple[str, bytes]]:
    """The members of a valid snapshot, in the order in which Vault writes them."""
    meta = json.dumps({"Version": 1, "ID": "bolt-snapshot", "Index": index, "Term": term, "Size": len(state)}).encode()
    return [
        ("meta.json", meta),
        ("state.bin", state),
        ("SHA256SUMS", sums_of([("meta.json", meta), ("state.bin", state)])),
    ]


def sums_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    """What SHA256SUMS says of these members."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members).encode()


def packed(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A gzip of a tar of these members, whatever they are."""
    return gzip.compress(tar_of(members), mtime=0)


def tar_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar of these members, with its end."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


# --- backups ----------------------------------------------------------------------------------------------

STARTED = datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC)
NAME = BackupName("vault", "daily", STARTED)


def measure(content: bytes) -> Bytes:
    """The size and the SHA-256 that a manifest says of this content."""
    return Bytes(len(content), hashlib.sha256(content).hexdigest())


def manifest_of(plaintext: bytes = b"plain", ciphertext: bytes = b"sealed", **changes: Any) -> VaultManifest:
    """A valid, signed manifest of a backup; `changes` replace whole fields of it."""
    manifest = VaultManifest(
        format=MANIFEST_FORMAT,
        backup_id=NAME.id,
        kind=NAME.kind,
        series=NAME.series,
        key=NAME.key,
        started_at="2026-11-22T02:00:00+00:00",
        finished_at="2026-11-22T02:00:09+00:00",
        source=Source(
            product_version="2.7.2",
            cluster_id="c-1",
            cluster_name="vault",
            seal_type="static",
            seal_key_id="k1",
            raft_index=42,
            raft_term=3,
        ),
        plaintext=measure(plaintext),
        ciphertext=measure(ciphertext),
        encryption=Encryption("aws-encryption-sdk/2", "AES_256_GCM", 4096, "backup-key", NAME.encryption_context),
        keys=[WrappedKey("vault-seal-key/k1", {"purpose": "seal"}, "AAAA")],
        made_by=Maker(
            "op-1", "arn:aws:states:eu-central-1:111122223333:execution:mailark-vault-backup:op-1", "eu-central-1"
        ),
        contents=Contents(
            mounts=["smtp"],
            canary="smtp/test-tenant-id/admin",
            canary_names=NAME.id,
            secret_count=1,
            live_count=1,
            digest_key=WrappedKey("digest-key", {"purpose": "digest-key"}, "AAAA"),
            secrets=[SecretDigest("smtp/a/admin", 1, "ab" * 32)],
            written_meanwhile=["smtp/b/admin"],
            window=Window(1_795_312_800, 1_795_312_809),
        ),
        signature=Signature("audit-key", "ECDSA_SHA_256", "AAAA"),
    )
    return msgspec.structs.replace(manifest, **changes)


def row_of(
    started_at: datetime = STARTED,
    kind: str = "vault",
    series: Series = "daily",
    proof: ProofLevel = "intact",
    live_count: int = 1000,
    finished_at: str = "",
) -> CatalogRow:
    """A row of the catalog."""
    name = BackupName(kind, series, started_at, "smtpy" if kind == "database" else "")
    return CatalogRow(
        id=name.id,
        kind=kind,
        series=series,
        date=name.date,
        started_at=started_at.isoformat(),
        key=name.key,
        version_id="v1",
        manifest_version="m1",
        size=1000,
        proof=proof,
        copy="intact",
        operation_id="op-1",
        cluster_id="c-1",
        live_count=live_count,
        finished_at=finished_at,
    )
