"""A tenant's password: opened and sealed in the platform's format, and made anew.

The format is in `tenant_password.py`. Here stand the errors that a person reads, and what a tenant id is: it is the
salt of the tenant's key and a part of paths in Vault, so nothing else passes for one.
"""

import base64
import re
import secrets

from lambdas.domain.mailu_errors import MasterKeyInvalid, PasswordUndecryptable, TenantIdInvalid
from lambdas.domain.tenant_password import MASTER_KEY_BYTES, decrypt_password, encrypt_password

_TENANT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SHOWN = 60
_PLANNED_BYTES = 32
_EMERGENCY_BYTES = 48
"""`platform-facts.md`, "The credential platform": 48 random bytes, base64."""


def check_tenant_id(tenant_id: str) -> str:
    """The same id. Raises `TenantIdInvalid` unless it is a UUID of version 4 in lower case, as the platform writes it.

    Another way to write the same UUID would be another salt, and so another key.
    """
    if not _TENANT.fullmatch(tenant_id):
        shown = ascii(tenant_id)
        raise TenantIdInvalid(tenant_id=shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}...")
    return tenant_id


def open_password(master_key: bytes, tenant_id: str, stored: str) -> str:
    """The password in a stored value. Raises `TenantIdInvalid`, `MasterKeyInvalid` and `PasswordUndecryptable`."""
    _check(master_key, tenant_id)
    try:
        return decrypt_password(stored, master_key, tenant_id)
    except ValueError:
        raise PasswordUndecryptable(tenant_id=tenant_id) from None


def seal_password(master_key: bytes, tenant_id: str, password: str) -> str:
    """The value to store, another each time. Raises `TenantIdInvalid` and `MasterKeyInvalid`."""
    _check(master_key, tenant_id)
    return encrypt_password(password, master_key, tenant_id)


def planned_password() -> str:
    """For a planned rotation: 32 random bytes, as 43 letters, digits, `-` and `_`.

    Never 32 hexadecimal digits, which Mailu would take for an app token.
    """
    return secrets.token_urlsafe(_PLANNED_BYTES)


def emergency_password() -> str:
    """For an emergency reset: 48 random bytes, as 64 characters of base64."""
    return base64.b64encode(secrets.token_bytes(_EMERGENCY_BYTES)).decode()


def _check(master_key: bytes, tenant_id: str) -> None:
    check_tenant_id(tenant_id)
    if len(master_key) != MASTER_KEY_BYTES:
        raise MasterKeyInvalid(length=len(master_key))
