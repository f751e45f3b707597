"""Mailu's admin API through the adapter: what it reads and writes, and what each kind of failure is called."""

import http.server
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab.certificates import CertificateAuthority
from lab.mailu.running import broken
from lab.mailu.state import Alias, User
from lambdas.adapters.mailu import MailuApi
from lambdas.adapters.mailu_traces import read_traces
from lambdas.domain.mail_login import MailServer
from lambdas.domain.mailu import MailAlias, MailUser
from lambdas.domain.mailu_errors import (
    MailuAddressInvalid,
    MailuCertificateRefused,
    MailuNotRecognized,
    MailuRateLimited,
    MailuRequestRefused,
    MailUserDisabled,
    MailUserUnknown,
    MailuTokenRefused,
    MailuUnreachable,
)
from tests.servers.mailu import Mailu, Mailus, mailus

NOBODY = "nobody@nowhere.example.org"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailus]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers


@pytest.fixture(scope="module")
def mailu(servers: Mailus) -> Mailu:
    return servers.start()


@contextmanager
def _api(mailu: Mailu, token: str = "", ca: str | None = None, read_seconds: float = 10.0) -> Iterator[MailuApi]:
    ca = mailu.authority.pem if ca is None else ca
    api = MailuApi(MailServer(mailu.address, ca), token or mailu.token, read_seconds)
    yield api
    api.close()


@pytest.fixture
def api(mailu: Mailu) -> Iterator[MailuApi]:
    with _api(mailu) as api:
        yield api


# --- users and passwords ----------------------------------------------------------------------------------


def test_a_user_is_read_as_it_is(mailu: Mailu, api: MailuApi) -> None:
    user, _ = mailu.add_user(
        global_admin=True,
        change_pw_next_login=True,
        enable_imap=False,
        forward_enabled=True,
        forward_destination=["x@example.net"],
    )
    assert api.user(user.email) == MailUser(user.email, True, True, True, False, False, False, ("x@example.net",))


def test_a_forward_that_is_switched_off_is_none(mailu: Mailu, api: MailuApi) -> None:
    user, _ = mailu.add_user(forward_destination=["x@example.net"])
    assert api.user(user.email).forwards == ()


def test_a_password_is_set_without_the_old_one_and_a_second_time(mailu: Mailu, api: MailuApi) -> None:
    user, password = mailu.add_user()
    for _ in range(2):
        api.set_password(user.email, "a new one ✉")
        assert user.knows("a new one ✉")
        assert not user.knows(password)


def test_an_unknown_user_is_named_whatever_was_asked(api: MailuApi) -> None:
    deeds: list[Callable[[], object]] = [
        lambda: api.user(NOBODY),
        lambda: api.set_password(NOBODY, "x"),
        lambda: api.tokens(NOBODY),
        lambda: api.create_token(NOBODY, "x"),
        lambda: read_traces(api, NOBODY),
    ]
    for deed in deeds:
        with pytest.raises(MailUserUnknown, match=f"has no user {NOBODY}"):
            deed()


def test_a_disabled_user_is_named_when_an_enabled_one_is_needed(mailu: Mailu, api: MailuApi) -> None:
    user, _ = mailu.add_user(enabled=False)
    assert not api.user(user.email).enabled
    with pytest.raises(MailUserDisabled, match=user.email):
        api.enabled_user(user.email)


# --- app tokens -------------------------------------------------------------------------------------------


def test_app_tokens_are_made_listed_and_deleted_and_a_second_deletion_finds_nothing(
    mailu: Mailu, api: MailuApi
) -> None:
    user, _ = mailu.add_user()
    made = [api.create_token(user.email, comment) for comment in ("old", "new")]
    assert [mailu.smtp(user.email, each.secret) for each in made] == [235, 235]
    assert [(each.id, each.email, each.comment, each.networks) for each in api.tokens(user.email)] == [
        (made[0].id, user.email, "old", ()),
        (made[1].id, user.email, "new", ()),
    ]
    assert api.delete_token(made[0].id)
    assert not api.delete_token(made[0].id)
    assert [mailu.smtp(user.email, each.secret) for each in made] == [535, 235]


def test_the_secret_of_an_app_token_shows_in_no_text(mailu: Mailu, api: MailuApi) -> None:
    user, _ = mailu.add_user()
    made = api.create_token(user.email, "x")
    assert made.secret not in repr(made)


# --- what an intruder may have left -----------------------------------------------------------------------


def test_everything_that_outlives_a_password_is_listed(servers: Mailus) -> None:
    mailu = servers.start()
    state = mailu.server.state
    user, _ = mailu.add_user(forward_enabled=True, forward_destination=["thief@example.net"])
    domain = state.domains[user.domain]
    other = state.add_user(f"sales@{user.domain}", "x", allow_spoofing=True, reply_enabled=True)
    elsewhere = state.add_user("root@elsewhere.example.org", "x", global_admin=True)
    state.aliases = {
        each.email: each
        for each in (
            Alias(f"copy@{user.domain}", ["thief@example.net"]),
            Alias("into@elsewhere.example.org", [user.email], owner_email=elsewhere.email),
            Alias("other@elsewhere.example.org", ["x@example.net"]),
        )
    }
    state.relays["lost.example.org"] = {"name": "lost.example.org", "smtp": "thief.example.net"}
    domain.managers, domain.alternatives, domain.signup_enabled = [other.email], ["twin.example.org"], True
    token, _ = state.add_token(user.email, "phone", ["203.0.113.0/24"])
    with _api(mailu) as api:
        traces = read_traces(api, user.email)
    assert [(each.id, each.networks) for each in traces.tokens] == [(str(token.id), ("203.0.113.0/24",))]
    assert traces.forwards == {user.email: ("thief@example.net",)}
    assert (traces.replying, traces.spoofing) == ((other.email,), (other.email,))
    assert traces.aliases == (
        MailAlias(f"copy@{user.domain}", ("thief@example.net",)),
        MailAlias("into@elsewhere.example.org", (user.email,), elsewhere.email),
    )
    assert (traces.managers, traces.global_admins) == ((other.email,), (elsewhere.email,))
    assert (traces.alternatives, traces.signup_enabled) == (("twin.example.org",), True)
    assert traces.relays == ("lost.example.org to thief.example.net",)


def test_a_domain_that_nobody_touched_shows_nothing(servers: Mailus) -> None:
    mailu = servers.start()
    user, _ = mailu.add_user(global_admin=True)
    with _api(mailu) as api:
        traces = read_traces(api, user.email)
    assert traces.global_admins == (user.email,)
    empty = (traces.tokens, traces.forwards, traces.replying, traces.spoofing, traces.aliases, traces.managers)
    assert not any(empty)
    assert not any((traces.alternatives, traces.relays, traces.signup_enabled))


# --- what goes wrong --------------------------------------------------------------------------------------


def test_a_refused_token_is_asked_with_once(servers: Mailus) -> None:
    mailu = servers.start()
    with _api(mailu, token="a-wrong-one") as api, pytest.raises(MailuTokenRefused) as caught:
        api.users()
    assert "a-wrong-one" not in str(caught.value)
    assert len(mailu.logged("Invalid API token")) == 1


def test_a_lock_out_is_not_taken_for_a_wrong_token(servers: Mailus) -> None:
    mailu = servers.start()
    for _ in range(5):
        mailu.api("GET", "/user", token="wrong")
    with _api(mailu) as api, pytest.raises(MailuRateLimited, match="answered 429"):
        api.users()


def test_a_server_that_is_down_is_tried_again_and_then_unreachable(servers: Mailus) -> None:
    mailu = servers.start()
    with _api(mailu) as api:
        assert api.users() == []
        with mailu.host.down(mailu.server), pytest.raises(MailuUnreachable, match=r"\(no connection\)") as caught:
            api.users()
        assert caught.value.transient
        assert api.users() == []


def test_a_server_that_takes_too_long_is_unreachable(servers: Mailus) -> None:
    mailu = servers.start()
    with broken(mailu.server, slow=2.0), _api(mailu, read_seconds=0.3) as api:
        began = time.monotonic()
        with pytest.raises(MailuUnreachable, match="answering took too long"):
            api.users()
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(("status", "error"), [(502, MailuUnreachable), (200, MailuNotRecognized)])
def test_a_page_of_html_is_no_answer(mailu: Mailu, api: MailuApi, status: int, error: type[Exception]) -> None:
    with broken(mailu.server, html_status=status), pytest.raises(error, match=str(status)):
        api.users()


def test_a_certificate_that_does_not_verify_stops_everything_before_the_token_is_sent(servers: Mailus) -> None:
    mailu = servers.start()
    why = "unable to get local issuer certificate"
    with (
        broken(mailu.server, wrong_certificate=True),
        _api(mailu) as api,
        pytest.raises(MailuCertificateRefused, match=why),
    ):
        api.users()
    with _api(mailu, ca="") as api, pytest.raises(MailuCertificateRefused):
        api.users()
    assert not mailu.logged("API token")


def test_a_certificate_for_another_name_does_not_verify(mailu: Mailu) -> None:
    port = mailu.server.ports.https
    api = MailuApi(MailServer(f"https://127.0.0.2:{port}", mailu.authority.pem), mailu.token)
    with _forwarding("127.0.0.2", port), pytest.raises(MailuCertificateRefused, match=r"127\.0\.0\.2"):
        api.users()
    api.close()


@pytest.mark.parametrize(
    "address",
    [
        "http://mail.example.org",
        "mail.example.org",
        "https://",
        "https://mail.example.org/admin",
        "https://me:secret@mail.example.org",
        "https://mail.example.org?x=1",
        "https://mail.example.org:0",
        "https://mail.example.org:http",
        "https://[::1",
        "https://mail.example.org\n",
        "https://mail.example.org:70000",
        "https://mail.exa mple.org",
        "https://mail.example.org\\@elsewhere.example.net",
        "https://-",
        "",
    ],
)
def test_only_https_and_a_host_make_an_address(address: str) -> None:
    with pytest.raises(MailuAddressInvalid):
        MailServer(address)


# --- a server that is not Mailu, or turns against its caller ----------------------------------------------

PASSWORD = "the-new-password-untold"


@pytest.mark.parametrize(
    ("status", "content_type", "body", "error", "problem"),
    [
        (200, "application/json", '{"code": 200}', MailuNotRecognized, "an answer of another shape"),
        (200, "application/json", "[1", MailuNotRecognized, "an answer of another shape"),
        (200, "", "", MailuNotRecognized, "200 with no content type"),
        (302, "text/html", "", MailuNotRecognized, "it redirects, with 302"),
        (404, "text/html", "<html>", MailuNotRecognized, "404 with text/html"),
        (404, "application/json", '{"code": 404, "message": "User x"}', MailUserUnknown, "has no user"),
        (404, "application/json", '{"message": "no such path"}', MailuNotRecognized, "404 with an answer of another"),
        (503, "application/json", "{}", MailuUnreachable, "it answered 503"),
        (401, "application/json", "{}", MailuTokenRefused, "refuses the API token"),
        (409, "application/json", f'{{"message": "{PASSWORD}"}}', MailuRequestRefused, "does not take what was sent"),
        (
            400,
            "application/json",
            json.dumps({"errors": {"raw_password": f"'{PASSWORD}' is too weak", f"x {PASSWORD}": "?"}}),
            MailuRequestRefused,
            "it does not take raw_password",
        ),
    ],
)
def test_whatever_a_server_answers_has_a_name_and_nothing_of_it_is_quoted(
    mailu: Mailu, status: int, content_type: str, body: str, error: type[Exception], problem: str
) -> None:
    with _answering(mailu.authority, status, content_type, body.encode()) as address:
        api = MailuApi(MailServer(address, mailu.authority.pem), "the-api-token-untold")
        with pytest.raises(error, match=problem) as caught:
            api.set_password("a@example.org", PASSWORD)
        api.close()
    assert PASSWORD not in str(caught.value)
    assert "the-api-token-untold" not in str(caught.value)


def test_an_answer_without_end_does_not_fill_the_memory(mailu: Mailu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.adapters.mailu_http._LARGEST_ANSWER", 1000)
    with _answering(mailu.authority, 200, "application/json", b"[" + b" " * 5000) as address:
        api = MailuApi(MailServer(address, mailu.authority.pem), "x")
        with pytest.raises(MailuUnreachable, match="its answer has no end"):
            api.users()
        api.close()


def test_nothing_secret_is_logged(mailu: Mailu, api: MailuApi, caplog: pytest.LogCaptureFixture) -> None:
    user, _ = mailu.add_user()
    with caplog.at_level(logging.DEBUG):
        api.set_password(user.email, PASSWORD)
        made = api.create_token(user.email, "x")
        api.tokens(user.email)
    assert PASSWORD not in caplog.text
    assert made.secret not in caplog.text
    assert mailu.token not in caplog.text


def test_users_with_odd_names_are_asked_for_as_they_are(mailu: Mailu, api: MailuApi) -> None:
    user, _ = mailu.add_user()
    odd = mailu.server.state.add_user(f"o'hara+50%/x@{user.domain}", "x")
    assert isinstance(odd, User)
    assert api.user(odd.email).email == odd.email


@contextmanager
def _answering(authority: CertificateAuthority, status: int, content_type: str, body: bytes) -> Iterator[str]:
    """A server that answers everything so; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            if content_type:
                self.send_header("Content-Type", content_type)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PATCH = do_GET  # noqa: N815  # http.server's

        def log_message(self, *_: object) -> None:
            pass

    certificate = authority.issue("answering")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _forwarding(address: str, port: int) -> Iterator[None]:
    """The same port under another address of loopback's, for one connection."""
    with socket.create_server((address, port)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                server.shutdown(socket.SHUT_RDWR)
                back.join()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
