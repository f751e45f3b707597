"""Certificates as an estate holds them: in PEM."""

from cryptography import x509

from lambdas.domain.parsing import Problem


def check_certificates(key: str, pem: str) -> None:
    """Raise a `Problem` with the estate's `key` unless `pem` holds certificates."""
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise Problem(key, "expected one or more certificates in PEM") from None
