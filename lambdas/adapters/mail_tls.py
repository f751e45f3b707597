"""TLS towards mail servers: the public CAs, and the one that the estate names beside them."""

import ssl
from functools import cache

import certifi


@cache
def tls_context(ca: str) -> ssl.SSLContext:
    """A context that verifies certificate and host name; `ca` is PEM, empty for the public CAs alone."""
    context = ssl.create_default_context(cafile=certifi.where())
    if ca:
        context.load_verify_locations(cadata=ca)
    return context


def why_refused(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate does not verify, in OpenSSL's words."""
    return error.verify_message or "it is for another name, or no trusted CA has signed it"


def why_unreachable(error: BaseException) -> str:
    """Why there was no connection, or no answer, without anything that was sent."""
    if isinstance(error, TimeoutError):
        return "answering took too long"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS"
    if isinstance(error, ConnectionRefusedError):
        return "no connection: nothing listens there"
    return "no connection" if isinstance(error, OSError) else "the connection was cut"
