"""The forwarding service's `api`, as far as a recovery sees it: `GET /health`, true to what its database answers.

Takes DATABASE_URL (how libpq reaches the database as the service's own role) and PORT from its environment.
"""

import http.server
import json
import logging
import os

import psycopg

from lab.processes import LOOPBACK

_LOG = logging.getLogger("api")
_LIMITS = {"connect_timeout": 3, "options": "-c statement_timeout=3000"}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/health":
            self._answer(404, {"detail": "Not Found"})
            return
        try:
            revision = _revision()
        except psycopg.Error as error:
            _LOG.error("health: the database does not answer (%s)", error.sqlstate or type(error).__name__)
            self._answer(503, {"status": "unavailable"})
            return
        if revision is None:
            _LOG.error("health: alembic_version is empty")
        self._answer(200 if revision else 503, {"status": "ok" if revision else "unavailable", "revision": revision})

    def _answer(self, status: int, body: dict[str, str | None]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Errors alone are logged."""


def _revision() -> str | None:
    """The revision of the schema, by a connection made for it alone."""
    with psycopg.connect(os.environ["DATABASE_URL"], **_LIMITS) as connection:  # type: ignore[arg-type]  # libpq's own
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    with http.server.ThreadingHTTPServer((LOOPBACK, int(os.environ["PORT"])), _Handler) as server:
        server.serve_forever()
