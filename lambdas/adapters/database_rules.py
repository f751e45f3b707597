"""What PostgreSQL holds of a database outside of it: owner, connection limit, settings and grants, from one to another.

A rename keeps all of them with the database that is renamed, and a restored one has none of them.
"""

from psycopg import sql

from lambdas.adapters.postgres import Rows
from lambdas.domain.swap import DatabaseFacts, kept_limit, setting_values

_SETTINGS = """
select case s.setrole when 0 then null else pg_get_userbyid(s.setrole) end, split_part(c, '=', 1),
       substr(c, strpos(c, '=') + 1)
  from pg_db_role_setting s, unnest(s.setconfig) with ordinality as each(c, place)
 where s.setdatabase = %s::oid order by s.setrole, place
"""
_GRANTS = """
select case a.grantee when 0 then null else pg_get_userbyid(a.grantee) end, a.privilege_type, a.is_grantable
  from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a where d.oid = %s::oid
"""

_Grants = dict[str | None, set[tuple[str, bool]]]


def carry_over(connection: Rows, old: DatabaseFacts, new: DatabaseFacts) -> None:
    """Give `new`, under the name that it has by now, what `old` has; it is read by its oid, whatever it is called.

    A limit of no connections is not kept, since it was somebody's way to keep the service out. Grants that another role
    than the owner made are made by the owner.
    """
    name = sql.Identifier(new.name)
    if new.owner != old.owner:
        connection.execute(sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(old.owner)))
    limit = sql.Literal(kept_limit(old.limit))
    connection.execute(sql.SQL("alter database {} connection limit {}").format(name, limit))
    _carry_settings(connection, old.oid, new.oid, name)
    _carry_grants(connection, old.oid, new.oid, name)


def _carry_settings(connection: Rows, old: int, new: int, name: sql.Identifier) -> None:
    for (role,) in {row[:1] for row in connection.execute(_SETTINGS, [new]).fetchall()}:
        connection.execute(_alter(role, name) + sql.SQL(" reset all"))
    for role, setting, value in connection.execute(_SETTINGS, [old]).fetchall():
        # A setting of an extension is written in two parts, each a name of its own.
        key = sql.SQL(".").join(sql.Identifier(part) for part in setting.split("."))
        values = sql.SQL(", ").join(sql.Literal(each) for each in setting_values(setting, value))
        connection.execute(_alter(role, name) + sql.SQL(" set {} to {}").format(key, values))


def _alter(role: str | None, name: sql.Identifier) -> sql.Composed:
    if role is None:
        return sql.SQL("alter database {}").format(name)
    return sql.SQL("alter role {} in database {}").format(sql.Identifier(role), name)


def _carry_grants(connection: Rows, old: int, new: int, name: sql.Identifier) -> None:
    wanted, found = _grants(connection, old), _grants(connection, new)
    for role in wanted.keys() | found.keys():
        if wanted.get(role) == found.get(role):
            continue
        grantee = sql.Identifier(role) if role is not None else sql.SQL("public")
        connection.execute(sql.SQL("revoke all on database {} from {} cascade").format(name, grantee))
        for privilege, grantable in sorted(wanted.get(role, set())):
            grant = sql.SQL("grant {} on database {} to {}").format(sql.SQL(privilege), name, grantee)
            connection.execute(grant + sql.SQL(" with grant option" if grantable else ""))


def _grants(connection: Rows, oid: int) -> _Grants:
    grants: _Grants = {}
    for role, privilege, grantable in connection.execute(_GRANTS, [oid]).fetchall():
        grants.setdefault(role, set()).add((privilege, grantable))
    return grants
