"""The tenants' credentials of an estate are read strictly: the key, and what was expected there."""

import pytest

from lambdas.domain.estate import parse_estate
from tests.domain.builders import CREDENTIALS, ESTATE
from tests.domain.estates import HINT, certificate, refusal_of


def test_an_estate_without_them_has_none_to_protect() -> None:
    assert parse_estate(ESTATE).credentials is None


def test_mail_servers_answer_on_the_ports_of_mailu_unless_the_estate_says_otherwise() -> None:
    credentials = parse_estate(ESTATE + CREDENTIALS).credentials
    assert credentials is not None
    mailu = credentials.mailu
    assert (mailu.ca, mailu.imap_port, mailu.smtps_port, mailu.submission_port) == ("", 993, 465, 587)


def test_a_private_ca_and_other_ports_are_read() -> None:
    pem = certificate()
    lines = "".join(f"      {line}\n" for line in pem.splitlines())
    text = f"{CREDENTIALS}  mailu:\n    imap_port: 1993\n    ca: |\n{lines}"
    credentials = parse_estate(ESTATE + text).credentials
    assert credentials is not None
    assert (credentials.mailu.imap_port, credentials.mailu.ca) == (1993, pem)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("credentials: {}\n", "credentials.notices_from: this key is required and missing."),
        (
            "credentials: { notices_from: nobody }\n",
            "credentials.notices_from: expected an e-mail address such as ops@example.net, got 'nobody'.",
        ),
        (
            "credentials: { notices_from: us@mail.example.org }\n",
            "credentials.notices_from: expected an address outside the protected domain example.org.",
        ),
        (
            CREDENTIALS + "  mailu: { imap_port: 0 }\n",
            "credentials.mailu.imap_port: expected a number of at least 1, got 0.",
        ),
        (
            CREDENTIALS + "  mailu: { ca: nothing }\n",
            "credentials.mailu.ca: expected one or more certificates in PEM.",
        ),
    ],
)
def test_a_mistake_is_refused(section: str, said: str) -> None:
    assert refusal_of(ESTATE + section) == f"estate-invalid: estate.yaml, {said}\n{HINT}"
