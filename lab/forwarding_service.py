"""The forwarding service's database, filled from a seed: the same seed and size give the same rows, byte by byte."""

import datetime
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lab.mail_text import MailText

DATABASE = "smtpy"
SERVICE = "smtpy"
ALEMBIC_REVISION = "9f3c1a7be204"
_TABLES, _, _CONSTRAINTS = Path(__file__).with_suffix(".sql").read_text().partition("-- What follows")
_CONSTRAINTS = f"-- What follows{_CONSTRAINTS}"
_BEGIN = datetime.datetime(2025, 11, 1, tzinfo=datetime.UTC)
_YEAR = datetime.timedelta(days=365)
_CHUNK = 1 << 18
_BATCH = 500
"""Messages whose words are picked at once."""

Row = str
"""One line of what COPY reads: columns with tabs between them, `\\N` for NULL."""


def load(connection: psycopg.Connection[Any], megabytes: float = 200, seed: int = 1) -> dict[str, int]:
    """Make the schema and its rows in an empty database; gives the number of rows by table.

    `megabytes` (of 1,000,000 bytes) is the size of the rows as text, which is a plain dump's size within a few percent.
    200 MB are about 150,000 messages of 100 organizations. All of it is one transaction.
    """
    house = _House(megabytes, seed)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_TABLES.encode())
        for table, rows in house.tables():
            with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                for chunk in house.chunks(table, rows):
                    copy.write(chunk)
        cursor.execute(_CONSTRAINTS.encode())
        for table in house.counts:
            _set_sequence(cursor, table)
    connection.execute("ANALYZE")
    return house.counts


def grant_to_service(connection: psycopg.Connection[Any], password: str) -> None:
    """Let the service in: a role that reads and writes rows, and can change no table. Can run twice."""
    role = sql.Identifier(SERVICE)
    with connection.transaction():
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [SERVICE]).fetchone()
        statement = "ALTER ROLE {} LOGIN PASSWORD {}" if known else "CREATE ROLE {} LOGIN PASSWORD {}"
        connection.execute(sql.SQL(statement).format(role, sql.Literal(password)))
        for grant in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
        ):
            connection.execute(sql.SQL(grant).format(role))


def _set_sequence(cursor: psycopg.Cursor[Any], table: str) -> None:
    """Let the next row get the next number."""
    found = cursor.execute(
        "SELECT pg_get_serial_sequence(%(table)s, attname) FROM pg_attribute"
        " WHERE attrelid = %(table)s::regclass AND attname = 'id'",
        {"table": table},
    ).fetchone()
    if found and found[0]:
        last = sql.SQL("SELECT setval(%s, max(id)) FROM {}").format(sql.Identifier(table))
        cursor.execute(last, [found[0]])


class _House:
    """All tables, parents first. What holds the mail is filled up to a share of the size."""

    def __init__(self, megabytes: float, seed: int) -> None:
        self.text = MailText(f"forwarding service {seed}")
        self.random = self.text.random
        self.counts: dict[str, int] = {}
        self._size = megabytes * 1_000_000
        self._written = 0
        self._organizations = max(4, int(megabytes / 2))
        self._users: list[int] = []
        """The organization of each user, by user."""
        self._domains: list[tuple[int, str]] = []
        """The organization and the name of each domain, by domain."""
        self._aliases: list[tuple[int, str]] = []
        """The domain and the address of each alias, by alias."""

    def tables(self) -> Iterator[tuple[str, Iterable[Row]]]:
        yield "alembic_version", [ALEMBIC_REVISION]
        yield "organizations", self._organization_rows()
        yield "users", self._user_rows()
        yield "domains", self._domain_rows()
        yield "aliases", self._alias_rows()
        yield "forwarding_rules", self._rule_rows()
        yield "api_keys", self._api_key_rows()
        yield "sessions", self._session_rows()
        yield "billing_webhook_events", self._billing_rows()
        yield "security_events", self._security_rows()
        yield "messages", self._up_to(0.93, self._message_rows())
        yield "events", self._up_to(0.98, self._numbered(self._event))
        yield "activity_logs", self._up_to(1.0, self._numbered(self._activity))

    def chunks(self, table: str, rows: Iterable[Row]) -> Iterator[bytes]:
        """The rows in pieces that are worth a write each, counted."""
        self.counts[table] = 0
        waiting: list[Row] = []
        size = 0
        for row in rows:
            waiting.append(row)
            size += len(row)
            if size >= _CHUNK:
                yield self._joined(table, waiting)
                waiting, size = [], 0
        yield self._joined(table, waiting)

    def _joined(self, table: str, rows: list[Row]) -> bytes:
        self.counts[table] += len(rows)
        joined = "".join(f"{row}\n" for row in rows).encode()
        self._written += len(joined)
        return joined

    def _up_to(self, share: float, rows: Iterator[Row]) -> Iterator[Row]:
        """Rows until this share of the size is written; one at least."""
        left = self._size * share - self._written
        for row in rows:
            yield row
            left -= len(row) + 1
            if left <= 0:
                return

    @staticmethod
    def _numbered(row: Callable[[int], Row]) -> Iterator[Row]:
        number = 0
        while True:
            number += 1
            yield row(number)

    def _organization_rows(self) -> Iterator[Row]:
        for number in range(1, self._organizations + 1):
            name = f"{self.text.name().title()} {self.text.name().title()}"
            status = self.random.choice(("active", "active", "active", "trialing", "past_due", "canceled"))
            customer = f"cus_{self._hex(7)}" if status != "trialing" else r"\N"
            settings = f'{{"locale": "{self.random.choice(("fr", "en", "de"))}", "retention_days": 90}}'
            yield f"{number}\t{name}\tbilling@{number}.example\t{customer}\t{status}\t{settings}\t{self._moment()}"

    def _user_rows(self) -> Iterator[Row]:
        for organization in range(1, self._organizations + 1):
            for role in ("owner", "admin", "member", "member")[: self.random.randint(1, 4)]:
                self._users.append(organization)
                number, first, last = len(self._users), self.text.name(), self.text.name()
                password = f"$argon2id$v=19$m=65536,t=3,p=4${self._hex(16)}${self._hex(32)}"
                yield (
                    f"{number}\t{organization}\t{first}.{last}{number}@example.com\t{first.title()} O'{last.title()}"
                    f"\t{password}\t{role}\t{'tf'[number % 13 == 0]}\t{self._moment()}\t{self._moment()}"
                )

    def _domain_rows(self) -> Iterator[Row]:
        for organization in range(1, self._organizations + 1):
            for _ in range(self.random.randint(1, 4)):
                number = len(self._domains) + 1
                name = f"{self.text.name()}{number}.example"
                self._domains.append((organization, name))
                status = self.random.choice(("verified", "verified", "verified", "pending", "failed"))
                yield f"{number}\t{organization}\t{name}\t{status}\tdefault\t{self._hex(162)}\t{self._moment()}"

    def _alias_rows(self) -> Iterator[Row]:
        for domain, (_, name) in enumerate(self._domains, start=1):
            for local in dict.fromkeys(self.text.name() for _ in range(self.random.randint(4, 24))):
                self._aliases.append((domain, f"{local}@{name}"))
                targets = ",".join(f"{self.text.name()}@example.net" for _ in range(self.random.choice((1, 1, 1, 2))))
                note = " ".join(self.text.several(4)) if self.random.random() < 0.2 else r"\N"
                number = len(self._aliases)
                yield (f"{number}\t{domain}\t{local}\t{{{targets}}}\t{'tf'[number % 9 == 0]}\t{note}\t{self._moment()}")

    def _rule_rows(self) -> Iterator[Row]:
        number = 0
        for alias in range(1, len(self._aliases) + 1, 3):
            for priority in range(1, self.random.randint(1, 3) + 1):
                number += 1
                condition = f'{{"header": "subject", "contains": "{self.text.name()}"}}'
                yield f"{number}\t{alias}\t{priority}\t{condition}\t{self.random.choice(('forward', 'reject', 'tag'))}"

    def _api_key_rows(self) -> Iterator[Row]:
        for user, organization in enumerate(self._users, start=1):
            if user % 2:
                yield (
                    f"{self._uuid()}\t{organization}\t{user}\t{self.text.name()}\t\\\\x{self._hex(32)}"
                    f"\t{{aliases:read,aliases:write}}\t{self._moment()}"
                )

    def _session_rows(self) -> Iterator[Row]:
        for user in range(1, len(self._users) + 1):
            for _ in range(self.random.randint(0, 3)):
                agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{self.random.randint(120, 145)}.0)"
                hashed = f"\\\\x{self._hex(32)}"
                yield f"{self._uuid()}\t{user}\t{hashed}\t{self._address()}\t{agent}\t{self._moment()}"

    def _billing_rows(self) -> Iterator[Row]:
        for number in range(1, self._organizations * 6 + 1):
            organization = self.random.randint(1, self._organizations)
            payload = f'{{"object": "invoice", "amount": {self.random.randint(500, 90_000)}, "currency": "eur"}}'
            yield f"{number}\t{organization}\tevt_{self._hex(12)}\tinvoice.paid\t{payload}\t{self._moment()}"

    def _security_rows(self) -> Iterator[Row]:
        for number in range(1, self._organizations * 10 + 1):
            organization = self.random.randint(1, self._organizations) if number % 4 else r"\N"
            kind = self.random.choice(("login_failed", "rate_limited", "api_key_revoked", "password_changed"))
            severity = self.random.randint(1, 5)
            yield f"{number}\t{organization}\t{kind}\t{severity}\t{self._address()}\t{self._moment()}"

    def _message_rows(self) -> Iterator[Row]:
        number = 0
        # Some aliases get far more mail than others.
        popular = self.random.choices(range(len(self._aliases)), k=len(self._aliases))
        while True:
            marks = self._hex(16 * _BATCH)
            words = self.text.several(10 * _BATCH)
            for index, body in enumerate(self.text.texts(_BATCH)):
                number += 1
                alias = popular[int(len(popular) * self.random.random() ** 2)]
                domain, recipient = self._aliases[alias]
                mark = marks[32 * index : 32 * index + 32]
                sender, relay = f"{mark[:6]}@{mark[6:9]}.example.org", number % 40
                subject = " ".join(words[10 * index : 10 * index + 3 + number % 8]).replace("\\n", "")
                status = "bounced" if number % 50 == 0 else "rejected" if number % 71 == 0 else "delivered"
                headers = (
                    f'{{"message-id": "<{mark}@mx{relay}.example.org>", "x-spam-score": {number % 97 / 10},'
                    f' "received": "from mx{relay}.example.org by smtp.smtpy.example with ESMTPS",'
                    ' "content-type": "text/plain; charset=utf-8"}'
                )
                attachment = f"\\\\x{self._hex(self.random.randint(500, 4_000))}" if number % 50 == 7 else r"\N"
                yield (
                    f"{number}\t{domain}\t{alias + 1}\t<{mark}@mx{relay}.example.org>\t{sender}\t{recipient}\t{subject}"
                    f"\t{body}\t{headers}\t{attachment}\t{status}\t{len(body)}\t{self._after(number)}"
                )

    def _event(self, number: int) -> Row:
        message = self.random.randint(1, self.counts["messages"])
        kind = self.random.choice(("received", "forwarded", "opened", "bounced"))
        details = f'{{"relay": "mx{number % 40}.example.org", "milliseconds": {self.random.randint(20, 9_000)}}}'
        return f"{number}\t{message}\t{kind}\t{details}\t{self._after(message)}"

    def _activity(self, number: int) -> Row:
        user = self.random.randint(1, len(self._users))
        action = self.random.choice(("alias.created", "alias.updated", "domain.verified", "user.login"))
        details = f'{{"name": "{self.text.name()}", "request": "{self._hex(8)}"}}'
        organization = self._users[user - 1]
        return f"{number}\t{organization}\t{user}\t{action}\t{details}\t{self._address()}\t{self._moment()}"

    def _moment(self) -> str:
        """Some time in the year."""
        return (_BEGIN + _YEAR * self.random.random()).isoformat()

    @staticmethod
    def _after(number: int) -> str:
        """A time that grows with the number of the message, 9 s from one to the next."""
        return (_BEGIN + datetime.timedelta(seconds=9 * number)).isoformat()

    def _hex(self, size: int) -> str:
        return self.random.randbytes(size).hex()

    def _uuid(self) -> str:
        return str(uuid.UUID(bytes=self.random.randbytes(16), version=4))

    def _address(self) -> str:
        """One of the addresses for documentation, RFC 5737."""
        return f"203.0.113.{self.random.randint(1, 254)}"
