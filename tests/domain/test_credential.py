"""A tenant's password is opened and sealed in the platform's format, and what is wrong with it has a name."""

import base64
import re
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.credential import (
    check_tenant_id,
    emergency_password,
    open_password,
    planned_password,
    seal_password,
)
from lambdas.domain.mailu_errors import MasterKeyInvalid, PasswordUndecryptable, TenantIdInvalid

# platform-facts.md, "The credential platform": the test vector.
MASTER_KEY = bytes(range(32))
TENANT = "550e8400-e29b-41d4-a716-446655440000"
PASSWORD = "correct horse battery staple ✉"
STORED = "AAECAwQFBgcICQoLDA0ODwl+m7aD4zY0O2ebGyL355PV2CF9vAJMG+aE3v7mV7FBmYUZ4OCwIeBgGDKr1mE9Cw=="

keys = st.binary(min_size=32, max_size=32)
tenants = st.uuids(version=4).map(str)


# --- the format -------------------------------------------------------------------------------------------


def test_what_the_platform_stored_is_opened() -> None:
    assert open_password(MASTER_KEY, TENANT, STORED) == PASSWORD


@given(keys, tenants, st.text())
def test_what_is_sealed_is_opened(master_key: bytes, tenant_id: str, password: str) -> None:
    assert open_password(master_key, tenant_id, seal_password(master_key, tenant_id, password)) == password


@given(keys, tenants, tenants, st.text())
def test_what_is_sealed_for_one_tenant_opens_for_no_other(
    master_key: bytes, one: str, other: str, password: str
) -> None:
    if one == other:
        return
    with pytest.raises(PasswordUndecryptable, match=other):
        open_password(master_key, other, seal_password(master_key, one, password))


@given(keys, keys, tenants)
def test_another_master_key_opens_nothing(one: bytes, other: bytes, tenant_id: str) -> None:
    if one == other:
        return
    with pytest.raises(PasswordUndecryptable):
        open_password(other, tenant_id, seal_password(one, tenant_id, PASSWORD))


@given(st.integers(0, 8 * 62 - 1))
def test_one_changed_bit_is_noticed(bit: int) -> None:
    raw = bytearray(base64.b64decode(STORED))
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    with pytest.raises(PasswordUndecryptable):
        open_password(MASTER_KEY, TENANT, base64.b64encode(raw).decode())


@given(st.text())
def test_whatever_is_stored_opens_or_has_a_name_and_is_not_shown(stored: str) -> None:
    with pytest.raises(PasswordUndecryptable) as caught:
        open_password(MASTER_KEY, TENANT, f"hunter2{stored}")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_master_key_of_another_length_is_told_by_its_length_alone(length: int) -> None:
    deeds: list[Callable[[], str]] = [
        lambda: open_password(b"k" * length, TENANT, STORED),
        lambda: seal_password(b"k" * length, TENANT, PASSWORD),
    ]
    for deed in deeds:
        with pytest.raises(MasterKeyInvalid, match=f"has {length} bytes"):
            deed()


# --- tenant ids -------------------------------------------------------------------------------------------


@given(tenants)
def test_a_uuid_of_version_4_is_a_tenant_id(tenant_id: str) -> None:
    assert check_tenant_id(tenant_id) == tenant_id


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "../admin",
        f"../{TENANT}",
        f"{TENANT}/../x",
        f"{TENANT}\n",
        f" {TENANT}",
        TENANT.upper(),
        TENANT.replace("-", ""),
        f"{{{TENANT}}}",
        f"urn:uuid:{TENANT}",
        "550e8400-e29b-11d4-a716-446655440000",  # version 1
        "550e8400-e29b-41d4-c716-446655440000",  # another variant
        "５50e8400-e29b-41d4-a716-446655440000",  # a digit that is none
        "x" * 5000,
    ],
)
def test_nothing_else_is_a_tenant_id(wrong: str) -> None:
    deeds: list[Callable[[], str]] = [
        lambda: check_tenant_id(wrong),
        lambda: open_password(MASTER_KEY, wrong, STORED),
        lambda: seal_password(MASTER_KEY, wrong, PASSWORD),
    ]
    for deed in deeds:
        with pytest.raises(TenantIdInvalid) as caught:
            deed()
        first = str(caught.value).splitlines()[0]
        assert first.isascii()
        assert len(first) < 120


@given(st.text())
def test_whatever_is_given_is_a_tenant_id_or_refused_in_one_line(text: str) -> None:
    if re.fullmatch(r"[0-9a-f-]{36}", text):
        return
    with pytest.raises(TenantIdInvalid) as caught:
        check_tenant_id(text)
    assert len(str(caught.value).split("\n")) == 2


# --- new passwords ----------------------------------------------------------------------------------------


def test_a_planned_password_has_256_bits_in_letters_that_need_no_quoting() -> None:
    made = {planned_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert len(base64.urlsafe_b64decode(f"{password}=")) == 32
        assert set(password) <= set(string.ascii_letters + string.digits + "-_")


def test_an_emergency_password_is_48_random_bytes_in_base64() -> None:
    made = {emergency_password() for _ in range(200)}
    assert len(made) == 200
    assert all(len(base64.b64decode(password, validate=True)) == 48 for password in made)


def test_no_new_password_looks_like_an_app_token() -> None:
    assert len(planned_password()) != 32
    assert len(emergency_password()) != 32
