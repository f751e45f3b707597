"""Somebody else's S3-compatible store, behind TLS: moto's server, what it was asked for, and what it does wrong."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from lab.certificates import CertificateAuthority
from lab.tls_front import tls_front

BUCKET = "offsite"


@dataclass
class SecondStoreServer:
    """`asked` are the headers of all requests; `spoil` changes what it answers to a GET of an object."""

    endpoint: str
    port: int
    authority: CertificateAuthority
    asked: list[dict[str, str]] = field(default_factory=list)
    spoil: Callable[[bytes], bytes] = bytes

    def client(self) -> Any:
        """For the tests' own look into it, past TLS."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="theirs",
            aws_secret_access_key="theirs",
        )

    def make_bucket(self) -> None:
        self.client().create_bucket(Bucket=BUCKET)

    def objects(self) -> dict[str, bytes]:
        s3 = self.client()
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


@contextmanager
def second_store_server(authority: CertificateAuthority) -> Iterator[SecondStoreServer]:
    """Run one until the block ends; its bucket is not there yet."""
    app = DomainDispatcherApplication(create_backend_app)
    found: list[SecondStoreServer] = []

    def answer(environment: dict[str, Any], start: Any) -> Iterable[bytes]:
        pieces: Iterable[bytes] = app(environment, start)
        if environment["HTTP_HOST"].startswith("localhost"):
            found[0].asked.append({name: str(value) for name, value in environment.items()})
            if environment["REQUEST_METHOD"] == "GET":
                return [found[0].spoil(b"".join(pieces))]
        return pieces

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        with tls_front(authority.issue("second-store"), server.server_port) as port:
            found.append(SecondStoreServer(f"https://localhost:{port}", server.server_port, authority))
            yield found[0]
    finally:
        server.shutdown()
        thread.join()
