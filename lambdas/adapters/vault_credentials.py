"""One credential in Vault: read, replaced only by who has seen the version before, marked without losing a mark."""

from collections.abc import Mapping

from hvac.exceptions import InvalidPath, InvalidRequest

from lambdas.adapters.vault import VaultClient
from lambdas.domain.credential_errors import CredentialChanged, CredentialMissing
from lambdas.domain.inventory import Secret

_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
_OTHER_VERSION = "did not match the current version"
"""What Vault and OpenBao say to a check-and-set that fails (KV version 2 API, "Create/Update secret")."""


def read_credential(vault: VaultClient, path: str) -> Secret:
    """A credential with its newest version. Raises `CredentialMissing` where there is none, or it is deleted."""
    secret = vault.read(path)
    if secret.data is None:
        raise CredentialMissing(path=path)
    return secret


def replace_credential(vault: VaultClient, path: str, values: Mapping[str, str], seen: int) -> int:
    """Replace the version `seen` of a credential; the version that it is now.

    Raises `CredentialChanged` where somebody else has written since, and nothing is overwritten then.
    """
    mount, _, name = path.partition("/")
    with vault.asked(f"write of {path}") as client:
        try:
            answer = client.secrets.kv.v2.create_or_update_secret(name, dict(values), cas=seen, mount_point=mount)
        except InvalidRequest as error:
            if _OTHER_VERSION in str(error):
                raise CredentialChanged(path=path, seen=seen) from None
            raise
    return int(answer["data"]["version"])


def read_version(vault: VaultClient, path: str, version: int) -> list[str]:
    """The stored password of an earlier version of a credential; none where that is deleted, destroyed or forgotten."""
    mount, _, name = path.partition("/")
    with vault.asked(f"read of version {version} of {path}") as client:
        try:
            answer = client.secrets.kv.v2.read_secret_version(
                name, version=version, mount_point=mount, raise_on_deleted_version=True
            )
        except InvalidPath:
            return []
    return [str(value) for field, value in answer["data"]["data"].items() if field == "password"]


def mark_credential(vault: VaultClient, path: str, marks: Mapping[str, str]) -> None:
    """Add marks to a credential's metadata; those that it has stay, and no version is made.

    hvac's own `update_metadata` replaces all of them, so this is a merge patch (RFC 7396). Raises `CredentialMissing`.
    """
    mount, _, name = path.partition("/")
    with vault.asked(f"mark of {path}") as client:
        try:
            client.adapter.request(
                "patch",
                f"/v1/{mount}/metadata/{name}",
                json={"custom_metadata": dict(marks)},
                headers=_MERGE_PATCH,
            )
        except InvalidPath:
            raise CredentialMissing(path=path) from None
