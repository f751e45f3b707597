"""The platform's own format of a tenant's SMTP password in Vault (`platform-facts.md`, "The credential platform").

base64 of IV(16) + GCM tag(16) + ciphertext: AES-256-GCM under a key of the tenant's own, derived from the 32-byte
master key by HKDF-SHA256 (salt: the tenant id as text; info: `smtp-credential`), without additional data.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_KEY_BYTES = 32
_IV = 16
_TAG = 16


def tenant_key(master_key: bytes, tenant_id: str) -> bytes:
    """The 32-byte key of one tenant."""
    if len(master_key) != MASTER_KEY_BYTES:
        raise ValueError(f"a master key has {MASTER_KEY_BYTES} bytes")
    return HKDF(SHA256(), length=32, salt=tenant_id.encode(), info=b"smtp-credential").derive(master_key)


def encrypt_password(password: str, master_key: bytes, tenant_id: str, iv: bytes | None = None) -> str:
    """The value that the platform stores. `iv` is for test vectors only: a fresh random one otherwise."""
    iv = os.urandom(_IV) if iv is None else iv
    encryptor = Cipher(algorithms.AES(tenant_key(master_key, tenant_id)), modes.GCM(iv)).encryptor()
    ciphertext = encryptor.update(password.encode()) + encryptor.finalize()
    return base64.b64encode(iv + encryptor.tag + ciphertext).decode()


def decrypt_password(stored: str, master_key: bytes, tenant_id: str) -> str:
    """The password of a stored value. Raises `ValueError` when it is not one, or not this tenant's."""
    key = tenant_key(master_key, tenant_id)
    try:
        raw = base64.b64decode(stored, validate=True)
        iv, tag, ciphertext = raw[:_IV], raw[_IV : _IV + _TAG], raw[_IV + _TAG :]
        decryptor = Cipher(algorithms.AES(key), modes.GCM(iv, tag)).decryptor()
        return (decryptor.update(ciphertext) + decryptor.finalize()).decode()
    except (InvalidTag, ValueError):
        raise ValueError(f"the stored password of {tenant_id} does not decrypt") from None
