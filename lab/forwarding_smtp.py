"""The forwarding service's `smtp-receiver`, as far as a recovery sees it: takes a mail, and stores it as a message.

Takes DATABASE_URL (how libpq reaches the database as the service's own role) and PORT from its environment.
"""

import asyncio
import logging
import os
import signal
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid

import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from psycopg.types.json import Jsonb

from lab.processes import LOOPBACK

_LOG = logging.getLogger("smtp-receiver")
_LIMITS = {"connect_timeout": 3, "options": "-c statement_timeout=3000"}
_STORE = """
INSERT INTO messages (domain_id, alias_id, message_id, sender, recipient, subject, body, headers, size_bytes)
SELECT d.id, a.id, %(message_id)s, %(sender)s, %(recipient)s, %(subject)s, %(body)s, %(headers)s, %(size)s
  FROM aliases a JOIN domains d ON d.id = a.domain_id
 WHERE a.is_active AND lower(a.local_part || '@' || d.name) = lower(%(recipient)s)
"""


class _Receiver:
    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        """Answer as the database does: a mail that is not stored stays with whoever sent it."""
        try:
            stored = await asyncio.to_thread(_store, envelope)
        except psycopg.Error as error:
            _LOG.error("a mail could not be stored (%s)", error.sqlstate or type(error).__name__)
            return "451 4.3.0 The database does not answer, try again later"
        return "250 2.0.0 Stored" if stored else "550 5.1.1 No such alias"


def _store(envelope: Envelope) -> int:
    """Store a mail once for each alias that it is for; how many those were."""
    content = envelope.content if isinstance(envelope.content, bytes) else b""
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)  # by its policy
    plain = mail.get_body(("plain",))
    facts = {
        "message_id": str(mail.get("Message-ID") or make_msgid()),
        "sender": envelope.mail_from or "",
        "subject": str(mail.get("Subject", "")),
        "body": str(plain.get_content()) if plain else None,
        "headers": Jsonb({name: str(value) for name, value in mail.items()}),
        "size": len(content),
    }
    with psycopg.connect(os.environ["DATABASE_URL"], **_LIMITS) as connection:  # type: ignore[arg-type]  # libpq's own
        return sum(connection.execute(_STORE, {**facts, "recipient": each}).rowcount for each in envelope.rcpt_tos)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    controller = Controller(_Receiver(), hostname=LOOPBACK, port=int(os.environ["PORT"]))
    controller.start()
    stop.wait()
    controller.stop()
