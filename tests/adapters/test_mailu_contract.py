"""Everything that the adapter sends to Mailu, and all that it is answered, fits Mailu's own description of its API."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import jsonschema
import pytest

from lab.mailu.running import broken
from lab.mailu.state import Alias
from lambdas.adapters.mailu import MailuApi
from lambdas.adapters.mailu_http import Answer, MailuHttp
from lambdas.adapters.mailu_traces import read_traces
from lambdas.domain.mail_login import MailServer
from lambdas.domain.mailu_errors import MailuRateLimited, MailUserUnknown, MailuTokenRefused
from tests.servers.mailu import Mailu, mailus
from tests.servers.mailu_contract import check_answer, check_request, operation_of

OPERATIONS = {
    "GET /user",
    "GET /user/{email}",
    "PATCH /user/{email}",
    "GET /tokenuser/{email}",
    "POST /tokenuser/{email}",
    "DELETE /token/{token_id}",
    "GET /alias",
    "GET /relay",
    "GET /domain/{domain}",
    "GET /domain/{domain}/manager",
}
"""What the adapter uses; a test that leaves one out proves nothing of it."""


@dataclass
class Traffic:
    """What went over the line: method, path, payload, and the answer."""

    seen: list[tuple[str, str, object, Answer]] = field(default_factory=list)


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """Listens on every request."""
    traffic, really = Traffic(), MailuHttp.ask

    def ask(self: MailuHttp, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        answer = really(self, method, path, headers, body)
        traffic.seen.append((method, path, None if body is None else json.loads(body), answer))
        return answer

    monkeypatch.setattr(MailuHttp, "ask", ask)
    return traffic


@pytest.fixture(scope="module")
def mailu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailu]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers.start()


def test_every_request_and_every_answer_fits_the_description(mailu: Mailu, traffic: Traffic) -> None:
    user, _ = mailu.add_user(global_admin=True, forward_enabled=True, forward_destination=["x@example.net"])
    state = mailu.server.state
    state.aliases["a"] = Alias(f"a@{user.domain}", ["x@example.net"], owner_email=user.email)
    state.relays["r"] = {"name": "relay.example.org", "smtp": "x.example.net"}
    state.domains[user.domain].managers = [user.email]
    api = MailuApi(MailServer(mailu.address, mailu.authority.pem), mailu.token)
    api.set_password(user.email, "a new one")
    made = api.create_token(user.email, "phone")
    read_traces(api, user.email)
    assert api.delete_token(made.id)
    assert not api.delete_token(made.id)
    with pytest.raises(MailUserUnknown):
        api.user("nobody@example.org")
    with broken(mailu.server, limited=True), pytest.raises(MailuRateLimited):
        api.users()
    api.close()
    refused = MailuApi(MailServer(mailu.address, mailu.authority.pem), "wrong")
    with pytest.raises(MailuTokenRefused):
        refused.users()
    refused.close()
    for method, path, payload, answer in traffic.seen:
        check_request(method, path, payload)
        if answer.status != 429:  # which the description has nowhere, and `platform-facts.md` has
            check_answer(method, path, answer.status, json.loads(answer.body))
    assert {operation_of(method, path) for method, path, *_ in traffic.seen} == OPERATIONS


def test_a_misspelt_key_would_be_found() -> None:
    with pytest.raises(AssertionError, match="raw_pasword"):
        check_request("PATCH", "/api/v1/user/a@example.org", {"raw_pasword": "x"})


def test_a_value_of_another_type_would_be_found() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_request("PATCH", "/api/v1/user/a@example.org", {"raw_password": 5})


@pytest.mark.parametrize("path", ["/api/v1/user/", "/api/v1/users", "/api/v2/user"])
def test_a_path_that_there_is_not_would_be_found(path: str) -> None:
    with pytest.raises(AssertionError):
        check_request("GET", path, None)


def test_an_answer_of_another_shape_would_be_found() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_answer("GET", "/api/v1/user/a@example.org", 200, {"enabled": "yes"})
