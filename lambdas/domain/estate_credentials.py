"""The part of the estate that is tenants' credentials: how their mail servers are reached, and who writes to them."""

from typing import Annotated

from msgspec import Meta, Struct

from lambdas.domain.estate_detection import Detection, check_detection
from lambdas.domain.pem import check_certificates

_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+\Z"
_Port = Annotated[int, Meta(ge=1, le=65535)]


class MailuServers(Struct, frozen=True, forbid_unknown_fields=True):
    """What all Mailu servers have in common; the address of each is `webmail_url` in its tenant's secret.

    `ca` is trusted beside the public ones.
    """

    ca: str = ""
    imap_port: _Port = 993
    smtps_port: _Port = 465
    submission_port: _Port = 587


class Credentials(Struct, frozen=True, forbid_unknown_fields=True):
    """The SMTP credentials of tenants, one Mailu each. `notices_from` is an address that SES may send from."""

    notices_from: Annotated[str, Meta(pattern=_EMAIL)]
    mailu: MailuServers = MailuServers()
    detection: Detection = Detection()


def check_credentials(credentials: Credentials) -> None:
    """What the shape alone does not show. Raises `Problem`."""
    if credentials.mailu.ca:
        check_certificates("credentials.mailu.ca", credentials.mailu.ca)
    check_detection(credentials.detection, "credentials.detection")
