"""What PostgreSQL holds of a database outside of it: owner, connection limit, settings and grants, read and given.

A rename keeps all of them with the database that is renamed, and a restored one has none of them: it is given those
that the manifest of its dump has, and, where there is a live database, those of that one when it takes its place.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from msgspec import UNSET
from psycopg import sql

from lambdas.adapters.postgres import MAINTENANCE, Login, Rows, connected
from lambdas.domain.database_errors import DatabaseMissing, DatabaseNotProved
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_properties import Grant, Rules, Setting, recorded_rules, rule_differences
from lambdas.domain.swap import DatabaseFacts, kept_limit, setting_values

_HERE = "select oid::int8 from pg_database where datname = coalesce(%s, current_database())"
_OWN = "select pg_get_userbyid(datdba), datconnlimit from pg_database where oid = %s::oid"
_SETTINGS = """
select case s.setrole when 0 then null else pg_get_userbyid(s.setrole) end, split_part(c, '=', 1),
       substr(c, strpos(c, '=') + 1)
  from pg_db_role_setting s, unnest(s.setconfig) with ordinality as each(c, place)
 where s.setdatabase = %s::oid order by 1 nulls first, place
"""
_GRANTS = """
select case a.grantee when 0 then null else pg_get_userbyid(a.grantee) end, a.privilege_type, a.is_grantable
  from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a where d.oid = %s::oid
"""
_AT_FIRST = {None: ("CONNECT", "TEMPORARY"), "owner": ("CONNECT", "CREATE", "TEMPORARY")}
"""What everybody and the owner may in a new database (PostgreSQL manual, "Privileges")."""


def rules_of(session: Rows, oid: int | None = None) -> Rules:
    """What the server holds of a database; of that which the session is in, unless `oid` is another's."""
    if oid is None:
        here: Any = session.execute(_HERE, [None]).fetchone()
        oid = here[0]
    own: Any = session.execute(_OWN, [oid]).fetchone()
    grants = frozenset(Grant(*row) for row in session.execute(_GRANTS, [oid]).fetchall())
    return Rules(own[0], own[1], grants, [Setting(*row) for row in session.execute(_SETTINGS, [oid]).fetchall()])


def carry_over(connection: Rows, old: DatabaseFacts, new: DatabaseFacts) -> None:
    """Give `new`, under the name that it has by now, what `old` has; it is read by its oid, whatever it is called.

    A limit of no connections is not kept, since it was somebody's way to keep the service out. Grants that another role
    than the owner made are made by the owner.
    """
    rules = rules_of(connection, old.oid)
    _give(connection, new.name, new.oid, replace(rules, limit=kept_limit(rules.limit)))


def give_recorded(login: Login, manifest: DatabaseManifest, values: bytes | None, *, trial: bool = False) -> None:
    """Give the database of `login` what a dump's manifest has of the one that was dumped, all of it or nothing.

    `values` are those of its settings, unsealed: None for a manifest that does not know them, by which nothing is
    changed. A `trial` takes all back again. Raises `DatabaseNotProved` when the server has something else afterwards,
    `DatabaseMissing`, and as `connected` does.
    """
    properties = manifest.contents.properties
    if properties is UNSET or values is None:
        return
    rules, name = recorded_rules(properties, values), login.database
    with connected(login.to(MAINTENANCE)) as connection, connection.transaction(force_rollback=trial):
        found: Any = connection.execute(_HERE, [name]).fetchone()
        if found is None:
            raise DatabaseMissing(host=login.host, database=name)
        _give(connection, name, found[0], rules)
        if different := [*rule_differences(rules, rules_of(connection, found[0]))]:
            raise DatabaseNotProved(backup_id=manifest.backup_id, problem=different[0])


def rules_as_sql(database: str, rules: Rules) -> str:
    """The same for psql, in UTF-8: what gives a new database these rules."""
    first = {None: _AT_FIRST[None], rules.owner: _AT_FIRST["owner"]}
    grants = frozenset(Grant(role, each, grantable=False) for role, rights in first.items() for each in rights)
    name = sql.Identifier(database)
    statements = [sql.SQL("set client_encoding = 'UTF8'"), _owned(name, rules.owner)]
    statements += _changes(name, rules, Rules(rules.owner, -1, grants, []))
    return "".join(f"{statement.as_string(None)};\n" for statement in statements)


def _give(connection: Rows, database: str, oid: int, rules: Rules) -> None:
    name = sql.Identifier(database)
    if rules_of(connection, oid).owner != rules.owner:
        connection.execute(_owned(name, rules.owner))
    for statement in _changes(name, rules, rules_of(connection, oid)):  # with the owner its own rights have gone over
        connection.execute(statement)


def _owned(name: sql.Identifier, owner: str) -> sql.Composed:
    return sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(owner))


def _changes(name: sql.Identifier, wanted: Rules, found: Rules) -> Iterator[sql.Composed]:
    """What makes a database whose owner is the wanted one have all that is wanted."""
    yield sql.SQL("alter database {} connection limit {}").format(name, sql.Literal(wanted.limit))
    for role in {setting.role for setting in found.settings}:
        yield _alter(role, name) + sql.SQL(" reset all")
    for setting in wanted.settings:
        # A setting of an extension is written in two parts, each a name of its own.
        key = sql.SQL(".").join(sql.Identifier(part) for part in setting.name.split("."))
        values = sql.SQL(", ").join(sql.Literal(each) for each in setting_values(setting.name, setting.value))
        yield _alter(setting.role, name) + sql.SQL(" set {} to {}").format(key, values)
    for role in sorted({grant.role for grant in wanted.grants | found.grants}, key=lambda each: each or ""):
        rights, has = ({grant for grant in rules.grants if grant.role == role} for rules in (wanted, found))
        if rights == has:
            continue
        grantee = sql.Identifier(role) if role is not None else sql.SQL("public")
        yield sql.SQL("revoke all on database {} from {} cascade").format(name, grantee)
        for grant in sorted(rights, key=lambda each: (each.privilege, each.grantable)):
            # Quoted, a privilege can be nothing else: PostgreSQL's grammar takes any name for one.
            what = sql.SQL("grant {} on database {} to {}").format(
                sql.Identifier(grant.privilege.lower()), name, grantee
            )
            yield what + sql.SQL(" with grant option" if grant.grantable else "")


def _alter(role: str | None, name: sql.Identifier) -> sql.Composed:
    if role is None:
        return sql.SQL("alter database {}").format(name)
    return sql.SQL("alter role {} in database {}").format(sql.Identifier(role), name)
