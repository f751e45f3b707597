"""A monitor that expects heartbeats: a real HTTPS server on loopback that answers as it is told."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.certificates import CertificateAuthority

SECRET_PATH = "/ping/0b6c9a4e-untold"


@dataclass
class Monitor:
    """`answers` are the statuses to give, the last one for ever; `heard` is what was called."""

    url: str
    ca: str
    answers: list[int] = field(default_factory=lambda: [200])
    heard: list[str] = field(default_factory=list)

    @staticmethod
    @contextlib.contextmanager
    def open(folder: Path, authority: CertificateAuthority | None = None) -> Iterator["Monitor"]:
        """Serve until the block ends."""
        authority = authority or CertificateAuthority(folder)
        issued = authority.issue("monitor")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(issued.certificate, issued.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        monitor = Monitor(f"https://127.0.0.1:{server.server_port}{SECRET_PATH}", authority.pem)
        _Handler.monitor = monitor
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="monitor", daemon=True)
        thread.start()
        try:
            yield monitor
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    monitor: Monitor

    def do_GET(self) -> None:
        heard, answers = self.monitor.heard, self.monitor.answers
        heard.append(self.path)
        status = answers[min(len(heard), len(answers)) - 1]
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
