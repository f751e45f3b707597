"""The calls to a Mailu, seen without a hook in the action: requests to its API and web login, logins to its mail."""

import re
from typing import Any

from lambdas.adapters import mail_logins
from lambdas.adapters.mailu_http import MailuHttp
from lambdas.domain.mail_login import Way
from tests.crash.through import Through

_OWN_ID = re.compile(r"/token/[^/]+")


def watch_mailu(through: Through) -> None:
    """See every call of this process to a Mailu from now on."""
    http: Any = MailuHttp
    module: Any = mail_logins
    ask, by_imap, by_smtp = http.try_to_ask, module._by_imap, module._by_smtp

    def asked(client: MailuHttp, method: str, path: str, *more: Any) -> Any:
        return through(f"Mailu {method} {_OWN_ID.sub('/token/ID', path)}", lambda: ask(client, method, path, *more))

    def logged_in_by_imap(*positional: Any) -> Any:
        return through(f"Mailu login by {Way.IMAP}", lambda: by_imap(*positional))

    def logged_in_by_smtp(server: Any, way: Way, *more: Any) -> Any:
        return through(f"Mailu login by {way}", lambda: by_smtp(server, way, *more))

    http.try_to_ask, module._by_imap, module._by_smtp = asked, logged_in_by_imap, logged_in_by_smtp
