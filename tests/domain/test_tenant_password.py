"""The platform's own format of a tenant's password: what it wrote we can read, and what we write it can."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.tenant_password import MASTER_KEY_BYTES, decrypt_password, encrypt_password, tenant_key

# The test vector of the platform.
MASTER_KEY = bytes(range(32))
IV = bytes(range(16))
TENANT = "550e8400-e29b-41d4-a716-446655440000"
PASSWORD = "correct horse battery staple ✉"
KEY = bytes.fromhex("0bf338620041c21da13cf3693d4fd286e076c76e11abacafe1e5184de450f443")
STORED = "AAECAwQFBgcICQoLDA0ODwl+m7aD4zY0O2ebGyL355PV2CF9vAJMG+aE3v7mV7FBmYUZ4OCwIeBgGDKr1mE9Cw=="

REFUSED = rf"^the stored password of {TENANT} does not decrypt$"


def test_the_key_of_a_tenant_is_the_platforms() -> None:
    assert tenant_key(MASTER_KEY, TENANT) == KEY


def test_what_is_stored_is_what_the_platform_stores() -> None:
    assert encrypt_password(PASSWORD, MASTER_KEY, TENANT, IV) == STORED


def test_what_the_platform_stored_is_read() -> None:
    assert decrypt_password(STORED, MASTER_KEY, TENANT) == PASSWORD


@given(st.text(), st.binary(min_size=32, max_size=32), st.uuids(version=4).map(str))
def test_what_is_written_is_read_back(password: str, master_key: bytes, tenant_id: str) -> None:
    assert decrypt_password(encrypt_password(password, master_key, tenant_id), master_key, tenant_id) == password


def test_the_same_password_never_looks_the_same_twice() -> None:
    assert encrypt_password(PASSWORD, MASTER_KEY, TENANT) != encrypt_password(PASSWORD, MASTER_KEY, TENANT)


def test_the_password_of_one_tenant_is_not_read_as_anothers() -> None:
    other = "550e8400-e29b-41d4-a716-446655440001"
    with pytest.raises(ValueError, match=rf"^the stored password of {other} does not decrypt$"):
        decrypt_password(STORED, MASTER_KEY, other)


def test_a_password_is_not_read_under_another_master_key() -> None:
    with pytest.raises(ValueError, match=REFUSED):
        decrypt_password(STORED, bytes(32), TENANT)


@pytest.mark.parametrize("place", range(len(base64.b64decode(STORED))))
def test_a_password_that_was_tampered_with_anywhere_is_refused(place: int) -> None:
    raw = bytearray(base64.b64decode(STORED))
    raw[place] ^= 1
    with pytest.raises(ValueError, match=REFUSED):
        decrypt_password(base64.b64encode(raw).decode(), MASTER_KEY, TENANT)


@pytest.mark.parametrize("length", range(len(base64.b64decode(STORED))))
def test_a_password_that_was_cut_is_refused(length: int) -> None:
    raw = base64.b64decode(STORED)[:length]
    with pytest.raises(ValueError, match=REFUSED):
        decrypt_password(base64.b64encode(raw).decode(), MASTER_KEY, TENANT)


@pytest.mark.parametrize("stored", ["", "hunter2", "not base64!", STORED[:-1], f"{STORED}\n", "✉"])
def test_what_is_no_stored_password_is_refused(stored: str) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        decrypt_password(stored, MASTER_KEY, TENANT)


def test_a_refusal_does_not_show_what_was_stored() -> None:
    with pytest.raises(ValueError, match=REFUSED) as caught:
        decrypt_password("hunter2", MASTER_KEY, TENANT)
    assert not re.search("hunter2", str(caught.value))


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_master_key_of_another_length_is_refused_and_says_so(length: int) -> None:
    assert MASTER_KEY_BYTES == 32
    for use in (
        lambda: tenant_key(bytes(length), TENANT),
        lambda: encrypt_password(PASSWORD, bytes(length), TENANT),
        lambda: decrypt_password(STORED, bytes(length), TENANT),
    ):
        with pytest.raises(ValueError, match=r"^a master key has 32 bytes$"):
            use()
