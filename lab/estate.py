"""The lab's estate: the example estate with the addresses, keys and CA of this very lab."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lab.aws import ACCOUNT, ROOT, Aws
from lab.certificates import CertificateAuthority

HOST_USER = "vault-host"
PLATFORM = "userpass-platform"
"""The platform's login, as Vault's audit log shows it."""


@dataclass(frozen=True)
class OfflineKey:
    """The operator's key pair, whose private half stays out of AWS."""

    private: Path
    public_pem: str


def primary_region() -> str:
    """Of the example estate, and so of the lab's."""
    return str(yaml.safe_load((ROOT / "estate.yaml").read_text())["regions"]["primary"])


def make_offline_key(folder: Path) -> OfflineKey:
    """A fresh RSA pair, as docs/operating.md has the operator make one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    file = folder / "offline-key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return OfflineKey(file, public.decode())


def write_estate(
    folder: Path,
    authority: CertificateAuthority,
    offline: OfflineKey,
    addresses: list[str],
    staging: str,
    seal: dict[str, str],
) -> Path:
    """Write `estate.yaml` for Vault nodes at `addresses`, and for the staging Vault."""
    estate: dict[str, Any] = yaml.safe_load((ROOT / "estate.yaml").read_text())
    estate["offline_public_key"] = offline.public_pem
    estate["vault"] |= {
        "address": addresses[0],
        "nodes": addresses,
        "staging": {"address": staging},
        "ca": authority.pem,
        "seal": seal,
        "host_principal": f"arn:aws:iam::{ACCOUNT}:user/{HOST_USER}",
    }
    file = folder / "estate.yaml"
    file.write_text(yaml.safe_dump(estate, sort_keys=False))
    return file


def add_database(file: Path, section: Callable[[Aws, str, str], dict[str, Any]], aws: Aws) -> None:
    """Put the lab's own database into an estate: `section` is given AWS and the two regions."""
    estate: dict[str, Any] = yaml.safe_load(file.read_text())
    estate["database"] = section(aws, estate["regions"]["primary"], estate["regions"]["standby"])
    file.write_text(yaml.safe_dump(estate, sort_keys=False))


def add_mail_servers(file: Path, section: dict[str, Any]) -> None:
    """Put the lab's own mail servers into an estate, and the platform, which reads credentials and is no person."""
    estate: dict[str, Any] = yaml.safe_load(file.read_text())
    estate["credentials"] |= {"mailu": section, "detection": {"services": [PLATFORM]}}
    file.write_text(yaml.safe_dump(estate, sort_keys=False))
