"""Stands for S3 where only our own speed counts: takes multipart uploads into memory, and answers ranges of them.

python -m benchmarks.s3_stub PORT CERTIFICATE KEY
"""

import re
import ssl
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_OBJECTS: dict[str, dict[int, bytes]] = {}


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the name that http.server calls
        key, asked = self._asked()
        self._body()
        if "uploads" in asked:
            _OBJECTS[key] = {}
            self._answer(b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        else:
            done = b'<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>'
            self._answer(done, {"x-amz-version-id": "1"})

    def do_PUT(self) -> None:
        key, asked = self._asked()
        _OBJECTS[key][int(asked["partNumber"][0])] = self._body()
        self._answer(b"", {"ETag": '"x"'})

    def do_HEAD(self) -> None:
        key, _ = self._asked()
        self._answer(b"", {"Content-Length": str(sum(map(len, _OBJECTS[key].values())))})

    def do_GET(self) -> None:
        key, _ = self._asked()
        parts = _OBJECTS[key]
        size = len(parts[1])  # all parts but the last are of one size, and a range is one part
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert wanted is not None
        start, end = int(wanted[1]), int(wanted[2]) + 1
        body = parts[start // size + 1]
        assert start % size == 0
        assert len(body) == end - start
        self._answer(body, {"Content-Range": f"bytes {start}-{end - 1}/*"}, status=206)

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return parts.path, parse_qs(parts.query, keep_blank_values=True)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raw = b"".join(self._chunks())
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return _unframed(raw) if "aws-chunked" in self.headers.get("Content-Encoding", "") else raw

    def _chunks(self) -> Iterator[bytes]:
        """The chunks of a body (RFC 9112, 7.1)."""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _answer(self, body: bytes, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in http.server
        """Say nothing: thousands of requests come."""


def _unframed(raw: bytes) -> bytes:
    """The content of a body with a checksum behind it (Amazon S3 API reference, "aws-chunked")."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = raw.index(b"\r\n", at)
        size = int(raw[at:end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(raw[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def main(port: str, certificate: str, key: str) -> None:
    """Serve until the process is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), _Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
