"""The lab's certificates hold before the strictest checks that a client may make."""

import socket
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from lab.certificates import Certificate, CertificateAuthority


@pytest.fixture(scope="module")
def issued(authority: CertificateAuthority) -> Certificate:
    return authority.issue("server")


def test_openssl_verifies_a_server_s_certificate_strictly(authority: CertificateAuthority, issued: Certificate) -> None:
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", "127.0.0.1"]
    command += ["-CAfile", str(authority.file), str(issued.certificate)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == f"{issued.certificate}: OK\n"
    assert done.returncode == 0


def _connect(issued: Certificate, client: ssl.SSLContext, name: str) -> str:
    """Connect to a server that has this certificate; gives the version of TLS that was agreed on."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(issued.certificate, issued.key)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs, server.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False) as wrapped:
            try:
                wrapped.do_handshake()
            except (ssl.SSLError, OSError):
                return  # the client has refused, and says why

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ours, client.wrap_socket(ours, server_hostname=name) as wrapped:
            return str(wrapped.version())
    finally:
        thread.join(10)


def _strict(authority: CertificateAuthority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_strict_client_connects_by_address_and_by_name(
    authority: CertificateAuthority, issued: Certificate, name: str
) -> None:
    assert _connect(issued, _strict(authority), name) == "TLSv1.3"


def test_a_client_refuses_the_certificate_under_another_name(
    authority: CertificateAuthority, issued: Certificate
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _connect(issued, _strict(authority), "vault.example.org")


def test_a_client_that_trusts_another_lab_s_ca_refuses_the_certificate(issued: Certificate, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _connect(issued, _strict(CertificateAuthority(tmp_path)), "127.0.0.1")


def test_what_a_server_signs_with_its_key_is_refused(
    issued: Certificate, authority: CertificateAuthority, tmp_path: Path
) -> None:
    request, forged = tmp_path / "request.pem", tmp_path / "forged.pem"
    asked = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(tmp_path / "key.pem")]
    _openssl("req", "-new", *asked, "-subj", "/CN=forged", "-out", str(request))
    signing = ["-CA", str(issued.certificate), "-CAkey", str(issued.key), "-CAcreateserial", "-days", "1"]
    _openssl("x509", "-req", "-in", str(request), *signing, "-out", str(forged))
    chain = ["-CAfile", str(authority.file), "-untrusted", str(issued.certificate), str(forged)]
    done = subprocess.run(["openssl", "verify", *chain], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0
    assert "invalid CA certificate" in done.stderr


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], capture_output=True, timeout=20, check=True)


def test_a_key_is_readable_by_its_owner_alone(issued: Certificate) -> None:
    assert stat.S_IMODE(issued.key.stat().st_mode) == 0o600
