"""What a Mailu server can be made to do wrong."""

from dataclasses import dataclass, field


@dataclass
class Faults:
    """Each holds until it is taken back. A server that is down is one that was stopped: `MailuServer.stop`."""

    slow: float = 0.0
    """Seconds before each answer of the API, the web login, IMAP's login and SMTP's greeting."""
    limited: bool = False
    """Everything is rate-limited, whoever asks."""
    unchanged: bool = False
    """A password is accepted with 200 and stays what it was (`platform-facts.md`: a 200 proves nothing)."""
    html_status: int = 0
    """The API answers with a page of HTML and this status, as a proxy in front of it would."""
    wrong_certificate: bool = False
    """The certificate is one that the lab's CA has not signed."""
    no_verdict: bool = False
    """`admin` is away, and nobody knows whether a password is right: IMAP's UNAVAILABLE, SMTP's 454, the web's 500."""
    not_offered: set[str] = field(default_factory=set)
    """Ways without a login: `sso` (404), `imap` (LOGINDISABLED), `smtps` (no AUTH), `submission` (no STARTTLS)."""
