"""The stand-in's admin API does what `platform-facts.md`, "Mailu, as measured", says of the real one."""

import uuid
from collections.abc import Iterator

import pytest

from lab.mailu.running import broken
from tests.servers.mailu import Mailu, Mailus, mailus


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailus]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers


@pytest.fixture(scope="module")
def mailu(servers: Mailus) -> Mailu:
    return servers.start()


# --- the token --------------------------------------------------------------------------------------------


def test_without_a_token_nobody_is_let_in_and_with_a_wrong_one_neither(servers: Mailus) -> None:
    mailu = servers.start()
    assert mailu.api("GET", "/user", token=None).status == 401
    assert mailu.api("GET", "/user", token="wrong").status == 403
    assert mailu.api("GET", "/user").status == 200


def test_five_wrong_tokens_from_a_network_lock_the_right_one_out_there_and_nowhere_else(servers: Mailus) -> None:
    mailu = servers.start()
    for host in range(5):
        assert mailu.api("GET", "/user", token="wrong", address=f"203.0.113.{host}").status == 403
    locked_out = mailu.api("GET", "/user", address="203.0.113.77")
    assert locked_out.status == 429
    assert locked_out.json() == {"message": "Too many attempts from your IP (rate-limit)"}
    assert mailu.api("GET", "/user", address="203.0.114.1").status == 200


def test_four_wrong_tokens_lock_nobody_out(servers: Mailus) -> None:
    mailu = servers.start()
    for _ in range(4):
        mailu.api("GET", "/user", token="wrong")
    assert mailu.api("GET", "/user").status == 200


def test_a_lock_out_ends_after_an_hour(servers: Mailus) -> None:
    mailu = servers.start()
    for _ in range(5):
        mailu.api("GET", "/user", token="wrong")
    now = mailu.server.limits.clock()
    mailu.server.limits.clock = lambda: now + 3601
    assert mailu.api("GET", "/user").status == 200


# --- answers ----------------------------------------------------------------------------------------------


def test_writes_answer_200_and_never_201(mailu: Mailu) -> None:
    name = f"{uuid.uuid4()}.example.org"
    made = [
        mailu.api("POST", "/domain", {"name": name}),
        mailu.api("POST", "/user", {"email": f"a@{name}", "raw_password": "secret-123"}),
        mailu.api("POST", "/alias", {"email": f"b@{name}", "destination": ["c@example.net"]}),
        mailu.api("POST", f"/domain/{name}/manager", {"user_email": f"a@{name}"}),
        mailu.api("POST", "/relay", {"name": f"relay.{name}"}),
        mailu.api("PATCH", f"/user/a@{name}", {"comment": "changed"}),
    ]
    for answer in made:
        assert answer.status == 200
        assert answer.json()["code"] == 200
        assert set(answer.json()) == {"code", "message"}


@pytest.mark.parametrize(
    ("method", "path", "payload", "code"),
    [
        ("GET", "/user/nobody@example.org", None, 404),
        ("GET", "/user/nobody", None, 400),
        ("GET", "/token/999999", None, 404),
        ("DELETE", "/token/999999", None, 404),
        ("GET", "/domain/nowhere.example.org", None, 404),
        ("GET", "/alias/nobody@example.org", None, 404),
        ("POST", "/user", {"email": "a@nowhere.example.org", "raw_password": "x"}, 404),
    ],
)
def test_what_is_refused_has_a_code_and_a_message(
    mailu: Mailu, method: str, path: str, payload: object, code: int
) -> None:
    answer = mailu.api(method, path, payload)
    assert answer.status == code
    assert answer.json()["code"] == code
    assert set(answer.json()) == {"code", "message"}


def test_what_is_there_already_is_a_conflict(mailu: Mailu) -> None:
    user, _ = mailu.add_user()
    for path, payload in (
        ("/domain", {"name": user.domain}),
        ("/user", {"email": user.email, "raw_password": "x"}),
        ("/alias", {"email": user.email, "destination": []}),
    ):
        assert mailu.api("POST", path, payload).status == 409


@pytest.mark.parametrize(
    ("method", "payload", "field"),
    [("POST", {"email": "a@example.org"}, "raw_password"), ("PATCH", {"raw_password": 5}, "raw_password")],
)
def test_what_does_not_fit_the_description_is_refused_field_by_field(
    mailu: Mailu, method: str, payload: object, field: str
) -> None:
    user, _ = mailu.add_user()
    answer = mailu.api(method, "/user" if method == "POST" else f"/user/{user.email}", payload)
    assert answer.status == 400
    assert set(answer.json()["errors"]) == {field}


@pytest.mark.parametrize("path", ["/nothing", "/user/", "/user/a@example.org/", "/fetch"])
def test_an_unknown_path_and_a_trailing_slash_are_404_in_html(mailu: Mailu, path: str) -> None:
    answer = mailu.api("GET", path)
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_an_unknown_key_is_ignored_in_silence(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    answer = mailu.api("PATCH", f"/user/{user.email}", {"raw_pasword": "a-new-one"})
    assert answer.status == 200
    assert user.knows(password)
    assert not user.knows("a-new-one")


# --- what a new password does, and what it leaves ---------------------------------------------------------


def test_a_new_password_ends_web_sessions_and_changes_nothing_else(mailu: Mailu) -> None:
    user, password = mailu.add_user(forward_enabled=True, forward_destination=["x@example.net"], global_admin=True)
    cookie = mailu.log_in(user.email, password).headers["Set-Cookie"].partition(";")[0]
    assert mailu.web("GET", "/admin", cookie).status == 200
    before = mailu.api("GET", f"/user/{user.email}").json()
    assert mailu.api("PATCH", f"/user/{user.email}", {"raw_password": "a-new-one"}).status == 200
    after = mailu.api("GET", f"/user/{user.email}").json()
    assert before.pop("password") != after.pop("password")
    assert after == before
    sent_away = mailu.web("GET", "/admin", cookie)
    assert (sent_away.status, sent_away.headers["Location"]) == (302, "/sso/login")


def test_any_password_will_do(mailu: Mailu) -> None:
    user, _ = mailu.add_user()
    assert mailu.api("PATCH", f"/user/{user.email}", {"raw_password": "a"}).status == 200
    assert user.knows("a")


def test_several_app_tokens_are_valid_at_once_and_outlive_a_new_password(mailu: Mailu) -> None:
    user, _ = mailu.add_user()
    made = [mailu.api("POST", f"/tokenuser/{user.email}", {"comment": each}).json() for each in ("old", "new")]
    mailu.api("PATCH", f"/user/{user.email}", {"raw_password": "a-new-one"})
    for token in made:
        assert mailu.imap(user.email, token["token"]).logout()[0] == "BYE"
        assert mailu.smtp(user.email, token["token"]) == 235
    listed = mailu.api("GET", f"/tokenuser/{user.email}").json()
    assert [(each["id"], each["comment"]) for each in listed] == [(made[0]["id"], "old"), (made[1]["id"], "new")]
    assert not any("token" in each for each in listed)


def test_a_deleted_app_token_lets_nobody_in(mailu: Mailu) -> None:
    user, _ = mailu.add_user()
    made = mailu.api("POST", "/token", {"email": user.email}).json()
    assert mailu.smtp(user.email, made["token"]) == 235
    assert mailu.api("DELETE", f"/token/{made['id']}").status == 200
    assert mailu.smtp(user.email, made["token"]) == 535


def test_an_app_token_may_be_used_from_its_networks_alone(mailu: Mailu) -> None:
    user, _ = mailu.add_user()
    made = mailu.api("POST", "/token", {"email": user.email, "AuthorizedIP": ["203.0.113.0/24"]}).json()
    assert mailu.smtp(user.email, made["token"], source="127.0.5.5") == 535
    mailu.server.seen_as["127.0.5.5"] = "203.0.113.9"
    assert mailu.smtp(user.email, made["token"], source="127.0.5.5") == 235


# --- made to go wrong -------------------------------------------------------------------------------------


def test_a_password_can_be_accepted_and_stay_what_it_was(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    with broken(mailu.server, unchanged=True):
        assert mailu.api("PATCH", f"/user/{user.email}", {"raw_password": "a-new-one"}).status == 200
    assert user.knows(password)


def test_the_api_can_be_limited_and_answer_in_html(mailu: Mailu) -> None:
    with broken(mailu.server, limited=True):
        assert mailu.api("GET", "/user").status == 429
    with broken(mailu.server, html_status=502):
        answer = mailu.api("GET", "/user")
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (502, "text/html")
