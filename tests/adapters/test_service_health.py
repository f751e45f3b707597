"""What proves that the services work: every health URL answers 200 in one round, asked of real servers."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from lab.certificates import Certificate, CertificateAuthority
from lab.processes import free_port
from lambdas.adapters.service_health import prove_healthy
from lambdas.domain.service_errors import ServicesUnhealthy


@dataclass
class Service:
    """`answers` are the statuses to give, the last one for ever; `asked` counts."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    asked: int = 0


@contextmanager
def _serving(*answers: int, certificate: Certificate | None = None) -> Iterator[Service]:
    service = Service(answers=list(answers))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked += 1
            self.send_response(service.answers[min(service.asked, len(service.answers)) - 1])
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificate.certificate, certificate.key)
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        service.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/health"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def test_services_that_answer_200_are_healthy_at_the_first_asking() -> None:
    with _serving(200) as api, _serving(200) as other:
        prove_healthy([api.url, other.url], pause=0)
    assert (api.asked, other.asked) == (1, 1)


@pytest.mark.parametrize("not_yet", [503, 500, 404, 301, 204])
def test_a_service_that_is_not_ready_yet_is_asked_again(not_yet: int) -> None:
    with _serving(not_yet, not_yet, 200) as api:
        prove_healthy([api.url], pause=0)
    assert api.asked == 3


def test_all_must_be_healthy_in_the_same_round() -> None:
    with _serving(200, 503, 200) as api, _serving(503, 200) as other:
        prove_healthy([api.url, other.url], pause=0)
    assert (api.asked, other.asked) == (3, 3)


def test_each_that_failed_is_named_with_what_it_said() -> None:
    with _serving() as gone:
        pass
    with _serving(503) as api, _serving(200) as good, pytest.raises(ServicesUnhealthy) as caught:
        prove_healthy([api.url, good.url, gone.url], seconds=0.3, pause=0.1)
    sentence = f"within 0.3 s: {api.url} answered 503; {gone.url} gives no connection.\n"
    assert sentence in str(caught.value)
    assert api.asked > 1


class _Refusing:
    """Hands out what a mail server does that takes nothing: RFC 5321, 3.1."""

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's
        self, _server: object, _session: object, _envelope: object, _name: str, _answers: list[str]
    ) -> list[str]:
        return ["550 not today"]


def test_a_mail_server_has_to_greet_and_to_answer_ehlo() -> None:
    with _mail(object()) as well:
        prove_healthy([well], pause=0)
    with pytest.raises(ServicesUnhealthy, match=f"{well} gives no connection"):
        prove_healthy([well], seconds=0)
    with _mail(_Refusing()) as refusing, pytest.raises(ServicesUnhealthy, match=f"{refusing} answered 550"):
        prove_healthy([refusing], seconds=0)


def test_a_mail_server_that_does_not_greet_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.adapters.service_health._READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServicesUnhealthy, match="took too long to answer"):
            prove_healthy([url], seconds=0)


@contextmanager
def _mail(handler: object) -> Iterator[str]:
    """A mail server that does what its handler says, and all else as servers do."""
    port = free_port()
    server = Controller(handler, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        server.stop()


def test_a_redirect_is_not_followed() -> None:
    with _serving(302) as api, pytest.raises(ServicesUnhealthy, match="answered 302"):
        prove_healthy([api.url], seconds=0)
    assert api.asked == 1


def test_a_service_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.adapters.service_health._READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/health"
        began = time.monotonic()
        with pytest.raises(ServicesUnhealthy, match="took too long to answer"):
            prove_healthy([url], seconds=0.5, pause=0.1)
        assert time.monotonic() - began < 5


def test_a_private_ca_is_trusted_when_the_estate_names_it(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    with _serving(200, certificate=authority.issue("api")) as api:
        prove_healthy([api.url], ca=authority.pem, pause=0)
        with pytest.raises(ServicesUnhealthy, match="a certificate that no trusted CA"):
            prove_healthy([api.url], seconds=0)


def test_what_answers_in_place_of_the_service_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other")
    with _serving(200, certificate=CertificateAuthority(tmp_path).issue("api")) as api:
        with pytest.raises(ServicesUnhealthy, match="a certificate that no trusted CA has signed for it"):
            prove_healthy([api.url], ca=other.pem, seconds=0)
        assert api.asked == 0
