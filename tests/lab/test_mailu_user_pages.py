"""The stand-in's web pages behind the login, by which a user makes app tokens and sets a forward."""

import secrets
from collections.abc import Iterator

import pytest

from lab.mailu.state import User
from tests.servers.mailu import Mailu, mailus


@pytest.fixture(scope="module")
def mailu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailu]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers.start()


@pytest.fixture
def user(mailu: Mailu) -> tuple[User, str]:
    """Somebody, and the cookie of a session."""
    user, password = mailu.add_user()
    return user, mailu.log_in(user.email, password).headers["Set-Cookie"].partition(";")[0]


def test_an_app_token_opens_mail_from_where_it_may_be_used(mailu: Mailu, user: tuple[User, str]) -> None:
    somebody, cookie = user
    secret = secrets.token_hex(16)
    answer = mailu.web("POST", "/admin/token/create", cookie, raw_password=secret, comment="Phone", ip="")
    assert (answer.status, answer.headers["Location"]) == (302, f"/admin/token/list/{somebody.email}")
    assert mailu.smtp(somebody.email, secret) == 235
    listed = mailu.api("GET", f"/tokenuser/{somebody.email}").json()
    assert [(each["comment"], each["AuthorizedIP"]) for each in listed] == [("Phone", [])]
    elsewhere = secrets.token_hex(16)
    mailu.web("POST", "/admin/token/create", cookie, raw_password=elsewhere, ip="192.0.2.0/24, 198.51.100.7")
    assert mailu.smtp(somebody.email, elsewhere) == 535


def test_a_secret_that_is_no_app_token_makes_none(mailu: Mailu, user: tuple[User, str]) -> None:
    somebody, cookie = user
    assert mailu.web("POST", "/admin/token/create", cookie, raw_password="short").status == 400
    assert mailu.api("GET", f"/tokenuser/{somebody.email}").json() == []


def test_a_forward_is_set_and_taken_back(mailu: Mailu, user: tuple[User, str]) -> None:
    somebody, cookie = user
    form = {"forward_enabled": "y", "forward_keep": "y", "forward_destination": "a@example.net, b@example.net"}
    assert mailu.web("POST", "/admin/user/settings", cookie, **form).status == 200
    found = mailu.api("GET", f"/user/{somebody.email}").json()
    assert (found["forward_enabled"], found["forward_keep"]) == (True, True)
    assert found["forward_destination"] == ["a@example.net", "b@example.net"]
    mailu.web("POST", "/admin/user/settings", cookie, forward_destination="a@example.net")
    found = mailu.api("GET", f"/user/{somebody.email}").json()
    assert (found["forward_enabled"], found["forward_keep"]) == (False, False)


def test_a_forward_to_nobody_changes_nothing(mailu: Mailu, user: tuple[User, str]) -> None:
    somebody, cookie = user
    answer = mailu.web("POST", "/admin/user/settings", cookie, forward_enabled="y", forward_destination="")
    assert (answer.status, answer.headers["Location"]) == (302, "/admin/user/settings")
    assert mailu.api("GET", f"/user/{somebody.email}").json()["forward_enabled"] is False


@pytest.mark.parametrize("path", ["/admin/token/create", "/admin/user/settings"])
def test_without_a_session_that_lives_the_login_comes_first(mailu: Mailu, user: tuple[User, str], path: str) -> None:
    somebody, cookie = user
    form = {"raw_password": secrets.token_hex(16), "forward_enabled": "y", "forward_destination": "a@example.net"}
    mailu.server.state.set_password(somebody, "another")
    for sent in ("", "session=made-up", cookie):
        answer = mailu.web("POST", path, sent, **form)
        assert (answer.status, answer.headers["Location"]) == (302, "/sso/login")
    assert mailu.api("GET", f"/tokenuser/{somebody.email}").json() == []
    assert mailu.api("GET", f"/user/{somebody.email}").json()["forward_enabled"] is False
