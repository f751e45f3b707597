"""Whatever the stand-in answers fits Mailu's own description of its API; what it does not serve is known."""

from collections.abc import Iterator

import pytest

from lab.mailu.api_domains import DOMAIN_ROUTES
from lab.mailu.api_users import USER_ROUTES
from lab.mailu.schemas import swagger
from tests.servers.mailu import Mailu, mailus
from tests.servers.mailu_contract import check_answer, check_request

NOT_SERVED = {
    "GET /alias/domains/available",  # for a user's own token, as `alias/me`
    "GET /alias/me",
    "DELETE /alias/me/{alias}",
    "PATCH /alias/me/{alias}",
    "GET /alternative",
    "POST /alternative",
    "GET /alternative/{alt}",
    "DELETE /alternative/{alt}",
    "POST /domain/{domain}/dkim",
    "GET /relay/{name}",
    "PATCH /relay/{name}",
}


@pytest.fixture(scope="module")
def mailu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailu]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers.start()


def test_what_is_not_served_is_known() -> None:
    described = {
        f"{method.upper()} {path}"
        for path, methods in swagger()["paths"].items()
        for method in methods.keys() - {"parameters"}
    }
    served = {f"{route.method} {route.path}" for route in (*USER_ROUTES, *DOMAIN_ROUTES)}
    assert described - served == NOT_SERVED
    assert served <= described


def test_every_operation_that_is_served_answers_as_described(mailu: Mailu) -> None:
    email, domain = "a@contract.example.org", "contract.example.org"
    asked: set[tuple[str, str]] = set()

    def ask(method: str, path: str, payload: object = None, status: int = 200) -> dict[str, str]:
        check_request(method, f"/api/v1{path}", payload)
        answer = mailu.api(method, path, payload)
        assert answer.status == status, answer.data
        check_answer(method, f"/api/v1{path}", answer.status, answer.json())
        asked.add((method, path))
        found = answer.json()
        return found if isinstance(found, dict) else {}

    ask("POST", "/domain", {"name": domain, "alternatives": ["twin.example.org"]})
    ask("POST", "/domain", {"name": domain}, 409)
    ask("PATCH", f"/domain/{domain}", {"signup_enabled": True, "comment": "x"})
    ask("POST", "/user", {"email": email, "raw_password": "secret-123", "comment": "x"})
    ask("PATCH", f"/user/{email}", {"enabled": True, "forward_destination": ["x@example.net"]})
    ask("POST", f"/domain/{domain}/manager", {"user_email": email})
    ask("POST", "/alias", {"email": f"b@{domain}", "destination": [email], "wildcard": False})
    ask("PATCH", f"/alias/b@{domain}", {"destination": [], "disabled": True})
    ask("POST", "/relay", {"name": "relay.example.org", "smtp": "x.example.net"})
    token = ask("POST", "/token", {"email": email, "AuthorizedIP": ["203.0.113.0/24"]})["id"]
    ask("POST", f"/tokenuser/{email}", {"comment": "x"})
    ask("PATCH", f"/token/{token}", {"comment": "y"})
    for path in (
        *("/domain", f"/domain/{domain}", f"/domain/{domain}/users", f"/domain/{domain}/manager"),
        *("/user", f"/user/{email}", "/alias", f"/alias/b@{domain}", f"/alias/destination/{domain}", "/relay"),
        *(f"/domain/{domain}/manager/{email}", "/token", f"/token/{token}", f"/tokenuser/{email}"),
    ):
        ask("GET", path)
    ask("GET", "/user/nobody@example.org", status=404)
    ask("GET", "/user/nobody", status=400)
    ask("DELETE", f"/domain/{domain}/manager/{email}")
    ask("DELETE", f"/token/{token}")
    ask("DELETE", f"/alias/b@{domain}")
    ask("DELETE", "/relay/relay.example.org")
    ask("DELETE", f"/user/{email}")
    ask("DELETE", f"/domain/{domain}")
    assert len(asked) >= len((*USER_ROUTES, *DOMAIN_ROUTES))
