"""A database that a restore makes, beside all others of a server, and that nobody uses before it is proved.

Its name is the same each time, and the lease on the target lets one operation work at a time: whatever has that name is
what an earlier one has left, and goes.
"""

from typing import Any

from psycopg import errors, sql

from lambdas.adapters.postgres import MAINTENANCE, Login, Rows, connected
from lambdas.domain.database_errors import TargetLacks
from lambdas.domain.database_manifest import DatabaseManifest, DatabaseSource

_SECONDS = 300
"""A server writes everything that it has in memory to its disk before it drops a database."""
_PROVIDERS = {
    "icu": "locale_provider icu icu_locale {}",
    "builtin": "locale_provider builtin builtin_locale {}",
}
"""PostgreSQL manual, CREATE DATABASE: since 15 and since 17."""
_NO_LOCALE = (errors.InvalidParameterValue, errors.WrongObjectType, errors.FeatureNotSupported)
"""PostgreSQL's source, dbcommands.c and pg_locale.c: of a locale that the system does not know, or has no ICU for."""


def make_database(login: Login, source: DatabaseSource) -> None:
    """Make the database of `login` anew, empty, with the encoding and locale of a dump's source.

    An earlier one of that name is dropped. Raises `TargetLacks` when the server has not the locale, and as `connected`.
    """
    drop_database(login)
    statement = sql.SQL("create database {} template template0 encoding {}").format(
        sql.Identifier(login.database), sql.Literal(source.encoding)
    )
    locale = source.locale
    parts = [
        statement,
        sql.SQL("lc_collate {} lc_ctype {}").format(sql.Literal(locale["collate"]), sql.Literal(locale["ctype"])),
    ]
    if locale["provider"] != "libc":
        parts.append(sql.SQL(_PROVIDERS[locale["provider"]]).format(sql.Literal(locale["locale"])))
    if rules := locale.get("rules"):
        parts.append(sql.SQL("icu_rules {}").format(sql.Literal(rules)))
    with connected(login.to(MAINTENANCE), _SECONDS) as session:
        try:
            session.execute(sql.SQL(" ").join(parts))
        except _NO_LOCALE:
            names = ", ".join(sorted({locale["collate"], locale["ctype"], locale.get("locale", locale["collate"])}))
            raise TargetLacks(
                host=login.host, what="the locale", names=names, backup_id=f"the dump of {source.database}"
            ) from None


def drop_database(login: Login) -> None:
    """Remove the database of `login`, whoever uses it; one that is not there is fine. Raises as `connected`."""
    with connected(login.to(MAINTENANCE), _SECONDS) as session:
        session.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(login.database)))


def require_what_it_needs(login: Login, manifest: DatabaseManifest) -> None:
    """Raise `TargetLacks` when a server lacks a role, an extension or a locale of a dump: before anything is made.

    Only the system's own locales are asked for; what else a server may lack, such as ICU, `make_database` tells.
    """
    contents, locale = manifest.contents, manifest.source.locale
    with connected(login.to(MAINTENANCE), _SECONDS) as session:
        roles = _names(session.execute("select rolname from pg_roles"))
        extensions = _names(session.execute("select name from pg_available_extensions"))
        unknown = [name for name in sorted({locale["collate"], locale["ctype"]}) if not _is_locale(session, name)]
    lacking = [("roles", sorted(set(contents.roles) - roles))]
    lacking += [("extensions", sorted(set(contents.extensions) - extensions)), ("the locale", unknown)]
    for what, names in lacking:
        if names:
            raise TargetLacks(host=login.host, what=what, names=", ".join(names[:20]), backup_id=manifest.backup_id)


def _is_locale(session: Rows, name: str) -> bool:
    """Whether the server's system knows a locale: a setting of the session takes no other, whatever the encoding."""
    try:
        session.execute("select set_config('lc_monetary', %s, false)", [name])
    except errors.InvalidParameterValue:
        return False
    return True


def _names(cursor: Any) -> set[str]:
    return {row[0] for row in cursor.fetchall()}
