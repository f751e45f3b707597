"""Whether the services work: each health URL of the estate, asked until all are well in one round.

What begins with `smtp://` has to greet and to answer EHLO (RFC 5321, 4.3.2); all else has to answer 200.
"""

import smtplib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import requests

from lambdas.domain.service_errors import ServicesUnhealthy

HEALTHY_SECONDS = 300.0
"""service-recovery-plan.md, scenario 1: five minutes to verify the services."""

_PAUSE_SECONDS = 1.0
_CONNECT_SECONDS = 3.05
_READ_SECONDS = 10.0
_SMTP_PORT, _SMTP_WELL = 25, 250


def prove_healthy(
    urls: Sequence[str], ca: str = "", seconds: float = HEALTHY_SECONDS, pause: float = _PAUSE_SECONDS
) -> None:
    """Ask every URL until all are well in the same round, for `seconds` at most; no redirect is followed.

    `ca` is PEM, trusted beside the public ones. Raises `ServicesUnhealthy` with what each had said last that failed.
    """
    deadline = time.monotonic() + seconds
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as trusted, requests.Session() as session:
        trusted.write(f"{Path(certifi.where()).read_text()}\n{ca}")  # certificates are no secret
        trusted.flush()
        session.trust_env = False
        session.verify = trusted.name
        while problems := [f"{url} {problem}" for url in urls if (problem := _problem(session, url))]:
            if time.monotonic() + pause >= deadline:
                raise ServicesUnhealthy(seconds=f"{seconds:g}", problem="; ".join(problems))
            time.sleep(pause)


def _problem(session: requests.Session, url: str) -> str:
    """What is wrong with the answer of one URL; nothing if it is well."""
    if url.startswith("smtp://"):
        return _smtp_problem(url)
    try:
        answer = session.get(url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), allow_redirects=False, stream=True)
        answer.close()
    except requests.exceptions.SSLError:
        return "has a certificate that no trusted CA has signed for it"
    except requests.Timeout:
        return "took too long to answer"
    except requests.ConnectionError:
        return "gives no connection"
    except requests.RequestException as error:
        return f"could not be asked ({type(error).__name__})"
    return "" if answer.status_code == 200 else f"answered {answer.status_code}"


def _smtp_problem(url: str) -> str:
    """What is wrong with a mail server; nothing if it greets and answers EHLO."""
    parts = urlsplit(url)
    try:
        with smtplib.SMTP(parts.hostname or "", parts.port or _SMTP_PORT, timeout=_READ_SECONDS) as smtp:
            code, _ = smtp.ehlo()
    except smtplib.SMTPResponseException as error:
        return f"answered {error.smtp_code}"
    except OSError as error:  # and what smtplib makes of one
        late = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        return "took too long to answer" if late else "gives no connection"
    return "" if code == _SMTP_WELL else f"answered {code}"
