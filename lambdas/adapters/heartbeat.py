"""The monitor outside of AWS that is told of each good night, so that a dead account is noticed too.

Its URL is what a caller has to know, and nothing else: it is kept out of everything that is written down. So the
attempts are counted here, since urllib3 logs the path of what it tries again.
"""

import tempfile
import time

import requests

from lambdas.domain.errors import HeartbeatNotSent
from lambdas.domain.estate import Heartbeat

_ATTEMPTS = 3
_PAUSE_SECONDS = 2.0
_CONNECT_SECONDS = 3.05
_READ_SECONDS = 10.0
_TRY_AGAIN = {408, 425, 429}


def send(heartbeat: Heartbeat, pause: float = _PAUSE_SECONDS) -> None:
    """Call the monitor: GET, which all of them take; only an answer of 2xx counts, and no redirect is followed.

    Tries again, after `pause` seconds, what may pass by itself. Raises `HeartbeatNotSent`.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca, requests.Session() as session:
        ca.write(heartbeat.ca)  # a certificate is no secret
        ca.flush()
        session.trust_env = False
        session.verify = ca.name if heartbeat.ca else True
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause * attempt)
            problem, passing = _try(session, heartbeat.url)
            if not problem:
                return
            if not passing:
                break
    raise HeartbeatNotSent(problem=problem)


def _try(session: requests.Session, url: str) -> tuple[str, bool]:
    """One call: what was wrong with it, nothing if it went well; and whether that may pass by itself."""
    try:
        answer = session.get(url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), allow_redirects=False, stream=True)
        answer.close()
    except requests.exceptions.SSLError:
        return "its certificate is not signed by a CA that is trusted", False
    except requests.Timeout:
        return "it took too long to answer", True
    except requests.ConnectionError:
        return "no connection", True
    except requests.RequestException as error:
        return type(error).__name__, False
    if 200 <= answer.status_code < 300:
        return "", False
    return f"it answered {answer.status_code}", answer.status_code >= 500 or answer.status_code in _TRY_AGAIN
