"""Mailu's web login, which proves a password (`platform-facts.md`, "A login proves a password")."""

from urllib.parse import urlencode, urljoin, urlsplit

from lambdas.adapters.mailu_http import MailuHttp
from lambdas.domain.mail_login import LoginResult, MailServer, Verdict, Way

_PATH = "/sso/login"
_CHANGE = "/sso/pw_change"
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept-Language": "en",  # the texts below are translated otherwise
}
_WRONG, _LIMITED = b"Wrong e-mail or password", b"Too many attempts"


def log_in_by_web(server: MailServer, email: str, password: str, seconds: float) -> LoginResult:
    """One attempt; the web session that it opens is not used. Raises `MailuCertificateRefused`."""
    form = {"email": email, "pw": password, "pwned": "-1", "submitAdmin": "Sign in"}
    http = MailuHttp(server, seconds)
    try:
        answer = http.try_to_ask("POST", _PATH, _HEADERS, urlencode(form).encode())
    finally:
        http.close()
    if isinstance(answer, str):
        return _result(Verdict.UNREACHABLE, answer)
    if answer.status == 302:
        return _redirected(server, answer.location)
    if answer.status == 429 or (answer.status == 200 and _LIMITED in answer.body):
        return _result(Verdict.RATE_LIMITED)
    if answer.status == 200 and _WRONG in answer.body:
        return _result(Verdict.REFUSED)
    if answer.status == 404:
        return _result(Verdict.NOT_OFFERED, "it has no web login")
    what = "a page that says nothing of the login" if answer.status == 200 else str(answer.status)
    return _result(Verdict.UNREACHABLE, f"it answered with {what}")


def _redirected(server: MailServer, location: str) -> LoginResult:
    """Inside is on the same server; whatever else sends somebody elsewhere has not looked at the password."""
    here, there = urlsplit(server.base), urlsplit(urljoin(f"{server.base}{_PATH}", location))
    if not location or (there.scheme, there.netloc) != (here.scheme, here.netloc) or there.path == _PATH:
        return _result(Verdict.UNREACHABLE, "it sends a login elsewhere")
    return _result(Verdict.CHANGE_FORCED if there.path == _CHANGE else Verdict.ACCEPTED)


def _result(verdict: Verdict, problem: str = "") -> LoginResult:
    return LoginResult(Way.SSO, verdict, problem)
