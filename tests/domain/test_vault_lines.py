"""No line of an audit log stops the reading, and what is no credential of a tenant says nothing.

What the lines of a real Vault say is tried in `tests/adapters/test_vault_lines.py`.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.vault_lines import CredentialRead, Person, read_vault_line

TENANT = "550e8400-e29b-41d4-a716-446655440000"


def _line(**own: Any) -> dict[str, Any]:
    """A read as OpenBao 2.7.2 writes it, shortened."""
    return {
        "time": "2026-11-22T02:00:00.072280734Z",
        "type": "response",
        "auth": {"display_name": "userpass-bob", "entity_id": "e1", "token_policies": ["readers"]},
        "request": {"operation": "read", "namespace": {"id": "root"}, "path": f"smtp/data/{TENANT}/admin"} | own,
        "response": {"data": {"data": {"password": "hmac-sha256:4d84"}, "metadata": {"version": 1}}},
    }


def test_a_read_says_whose_it_is_and_who_read_it() -> None:
    assert read_vault_line(json.dumps(_line())) == CredentialRead(TENANT, Person("e1", "userpass-bob"))


def test_who_has_no_entity_is_known_by_name() -> None:
    line = _line() | {"auth": {"display_name": "token-" + "x" * 300}}
    said = read_vault_line(json.dumps(line))
    assert said is not None
    assert said.person.id == said.person.name == "token-" + "x" * 194


@pytest.mark.parametrize(
    "path",
    [
        "smtp/data/test-tenant-id/admin",
        f"smtp/data/{TENANT.upper()}/admin",
        f"smtp/data/../{TENANT}/admin",
        f"smtp/data/{TENANT}/admin/more",
        f"vps/data/{TENANT}/admin_ssh",
        f"smtp/data/{TENANT}/admin\n",
    ],
)
def test_another_path_is_no_credential_of_a_tenant(path: str) -> None:
    assert read_vault_line(json.dumps(_line(path=path))) is None


def test_a_secret_of_the_same_name_in_another_namespace_is_not_the_tenants() -> None:
    assert read_vault_line(json.dumps(_line(namespace={"id": "x1", "path": "team/"}))) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["response", "request"])},
    optional=dict.fromkeys(("auth", "request", "response", "error"), JSON),
)


@given(st.one_of(st.text(), JSON.map(json.dumps), PARTS.map(json.dumps)))
def test_no_line_whatsoever_stops_the_reading(line: str) -> None:
    read_vault_line(line)


@given(st.sampled_from(["auth", "request", "response", "error", "type"]), JSON)
def test_a_line_of_which_one_part_is_something_else_does_not_stop_it_either(part: str, value: object) -> None:
    read_vault_line(json.dumps(_line() | {part: value}))


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"type":' * 50_000, "\ud800", '{"type":"response","request":{"data":']
)
def test_a_line_that_is_nested_without_end_or_cut_off_says_nothing(line: str) -> None:
    assert read_vault_line(line) is None
