"""What a database holds, under one snapshot: rows and checksum of every table, sequences, extensions, roles, revision.

A checksum is the sum of a hash of each row, so that no order changes it. A column is hashed as its type does where the
type is PostgreSQL's own and hashes alike on every server; any other as its type writes it (an enum's own hash is of a
number that its server has given it), and never by a cast, which may be somebody's own function. Generated columns are
left out: a dump does not hold them. It is read without policies: what a policy would hide is refused.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from lambdas.adapters.postgres import Rows
from lambdas.domain.database_manifest import DatabaseSource, SequenceFacts, TableFacts

_HASHED = frozenset(
    ["bool", "bytea", "char", "name", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "uuid", "jsonb"]
) | frozenset(
    ["date", "time", "timetz", "timestamp", "timestamptz", "interval", "inet", "cidr", "macaddr", "macaddr8"]
    + [f"_{name}" for name in ("bool", "int2", "int4", "int8", "float8", "numeric", "uuid", "date", "timestamptz")]
)
_TEXTS = ("text", "varchar", "bpchar", "_text", "_varchar")
_SETTINGS = {
    "search_path": "pg_catalog",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
}
"""What the text of a value depends on, the same on every server."""

OWN_TABLES = """
       c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
   and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
""".strip()
"""Of pg_class as c and pg_namespace as n: the tables whose rows a dump holds."""
_TABLES = f"""
select n.nspname, c.relname, coalesce(array_agg(a.attname order by a.attnum) filter (where a.attnum > 0), '{{}}'),
       coalesce(array_agg(case when tn.nspname = 'pg_catalog' then t.typname else '' end order by a.attnum)
                filter (where a.attnum > 0), '{{}}')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  left join pg_type t on t.oid = a.atttypid
  left join pg_namespace tn on tn.oid = t.typnamespace
 where {OWN_TABLES}
 group by 1, 2 order by 1, 2
"""  # noqa: S608  # our own text
_LARGE_OBJECTS = """
select count(*), coalesce(sum(hashtextextended(format('%%s %%s %%s', oid, %(part)s, sha256(piece)), 0)), 0),
       coalesce(array_agg(oid) filter (where length(piece) = %(size)s), '{{}}')
  from (select oid, lo_get(oid, %(part)s::int8 * %(size)s, %(size)s) as piece from {} offset 0) pieces
"""
_PIECE = 16 * 1024 * 1024
"""Bytes of a large object, which may have terabytes, at a time."""
_SEQUENCES = """
select n.nspname, c.relname, case when s.seqcycle then null else v.last_value end, s.seqincrement
  from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_sequences v on v.schemaname = n.nspname and v.sequencename = c.relname
 where n.nspname !~ '^pg_'
   and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by 1, 2
"""
_OWNED = {
    "pg_namespace": "nspowner",
    "pg_class": "relowner",
    "pg_proc": "proowner",
    "pg_type": "typowner",
    "pg_operator": "oprowner",
    "pg_opclass": "opcowner",
    "pg_opfamily": "opfowner",
    "pg_collation": "collowner",
    "pg_conversion": "conowner",
    "pg_language": "lanowner",
    "pg_ts_dict": "dictowner",
    "pg_ts_config": "cfgowner",
    "pg_statistic_ext": "stxowner",
    "pg_largeobject_metadata": "lomowner",
    "pg_foreign_data_wrapper": "fdwowner",
    "pg_foreign_server": "srvowner",
    "pg_publication": "pubowner",
    "pg_event_trigger": "evtowner",
    "pg_default_acl": "defaclrole",
}
"""What has an owner, by its catalog. PostgreSQL does not note what its first superuser owns in pg_shdepend.

What belongs to something else (`e` and `i` in pg_depend) is left out: an extension, the type of a table's rows.
"""
_FIRST_OWN_OID = 16384
"""PostgreSQL's source, transam.h, `FirstNormalObjectId`: what was not there from the beginning."""
_OWNERS = " union all ".join(
    f"select {owner} from {catalog} o where oid >= {_FIRST_OWN_OID} and not exists "  # noqa: S608  # our own names
    f"(select from pg_depend d where d.classid = '{catalog}'::regclass and d.objid = o.oid and d.deptype in ('e', 'i'))"
    for catalog, owner in _OWNED.items()
)
_OF_DATABASE = """
    select datdba from pg_database where datname = current_database()
    union all select a.grantee from pg_database d, aclexplode(d.datacl) a where d.datname = current_database()
    union all select s.setrole from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
     where d.datname = current_database()
"""
"""Whose it is, who has a right on it, and for whom it has settings: what is given to a restored one."""
_ROLES = """
select distinct rolname::text from (
    select refobjid as role from pg_shdepend s
     where refclassid = 'pg_authid'::regclass and deptype <> 'i' and classid <> 'pg_extension'::regclass
       and dbid = (select oid from pg_database where datname = current_database())
       and not (deptype = 'o' and exists (select from pg_depend d
                                           where d.classid = s.classid and d.objid = s.objid and d.deptype = 'e'))
    union all {owners} union all {database}
) used join pg_roles r on r.oid = used.role where rolname !~ '^pg_' order by 1
""".replace("{owners}", _OWNERS).replace("{database}", _OF_DATABASE.strip())
_REVISIONS = """
select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attname = 'version_num' and not a.attisdropped
 where c.relname = 'alembic_version' and c.relkind = 'r' and c.relpersistence <> 't' order by 1
"""


def fix_settings(session: Rows) -> None:
    """Let values of this session read the same on every server, and names mean PostgreSQL's own functions."""
    for name, value in _SETTINGS.items():
        session.execute(sql.SQL("set {} = {}").format(sql.Identifier(name.lower()), sql.Literal(value)))
    if session.info.parameter_status("server_encoding") == "SQL_ASCII":
        session.execute("set client_encoding = 'LATIN1'")  # names may be any bytes there; nothing is converted


def table_facts(session: Rows, unreadable: Sequence[str] = ()) -> Iterator[TableFacts]:
    """Rows and checksum of every table that pg_dump would dump the rows of; partitions one by one.

    Those in `unreadable` (`schema.name`) are left out.
    """
    for schema, name, columns, types in session.execute(_TABLES).fetchall():
        if f"{schema}.{name}" not in unreadable:
            yield _facts(session, schema, name, columns, types)


def _facts(session: Rows, schema: str, name: str, columns: Sequence[str], types: Sequence[str]) -> TableFacts:
    parts = [_hashable(column, kind) for column, kind in zip(columns, types, strict=True)]
    # Hashed once more: a record's own hash is linear, so that values swapped between two rows would not be seen.
    hashed = "hashint8extended(hash_record_extended(row({}), 0), 0)"
    row = sql.SQL(hashed).format(sql.SQL(", ").join(parts)) if parts else sql.SQL("0")
    query = sql.SQL("select count(*), coalesce(sum({}), 0)::text from only {} as t").format(
        row, sql.Identifier(schema, name)
    )
    found: Any = session.execute(query).fetchone()
    return TableFacts(schema, name, found[0], found[1])


def _hashable(column: str, kind: str) -> sql.Composed:
    name = sql.Identifier("t", column)
    if kind in _HASHED:
        return sql.SQL("{}").format(name)
    # Bytes, whatever the column's collation takes for equal; a row's text has each value as its type writes it.
    return sql.SQL('{} collate "C"' if kind in _TEXTS else 'row({})::text collate "C"').format(name)


def large_object_facts(session: Rows) -> TableFacts:
    """Large objects, counted and summed like a table."""
    first = sql.SQL(_LARGE_OBJECTS).format(sql.SQL("pg_largeobject_metadata"))
    more = sql.SQL(_LARGE_OBJECTS).format(sql.SQL("unnest(%(unfinished)s::oid[]) as oid"))
    found: Any = session.execute(first, {"part": 0, "size": _PIECE}).fetchone()
    count, total, unfinished = found
    for part in itertools.count(1):
        if not unfinished:
            break
        found = session.execute(more, {"part": part, "size": _PIECE, "unfinished": unfinished}).fetchone()
        total, unfinished = total + found[1], found[2]
    return TableFacts("pg_catalog", "pg_largeobject", count, str(total))


def sequence_facts(session: Rows) -> list[SequenceFacts]:
    """Every sequence that a dump sets."""
    return [SequenceFacts(*row) for row in session.execute(_SEQUENCES).fetchall()]


def extensions_of(session: Rows) -> dict[str, str]:
    """The extensions by name, with their versions."""
    rows = session.execute("select extname, extversion from pg_extension order by 1").fetchall()
    return dict(rows)


def roles_used(session: Rows) -> list[str]:
    """The roles that own the database or something in it, hold a right there, or have settings of their own there."""
    return [row[0] for row in session.execute(_ROLES).fetchall()]


def alembic_revision(session: Rows) -> str | None:
    """The revision of the schema, or revisions where it has several heads; None where Alembic is not used."""
    found: dict[str, list[str]] = defaultdict(list)
    for (schema,) in session.execute(_REVISIONS).fetchall():
        query = sql.SQL("select version_num::text from {} order by 1").format(sql.Identifier(schema, "alembic_version"))
        found[schema] = [row[0] for row in session.execute(query).fetchall()]
    revisions = [revision for schema in found.values() for revision in schema]
    return ", ".join(revisions) or None


_SOURCE = """
select current_setting('server_version'), current_setting('server_version_num')::int / 10000,
       (select system_identifier::text from pg_control_system()),
       pg_encoding_to_char(d.encoding), pg_database_size(d.oid), d.*
  from pg_database d where d.datname = current_database()
"""


def source_of(session: Rows, database: str) -> tuple[DatabaseSource, int]:
    """The server and the database, and its size in bytes as the server stores it."""
    cursor = session.execute(_SOURCE)
    row: Any = cursor.fetchone()
    names = [column.name for column in cursor.description or []]
    held = dict(zip(names[5:], row[5:], strict=True))
    provider = {"c": "libc", "i": "icu", "b": "builtin", "d": "libc"}[_text(held.get("datlocprovider", "c"))]
    locale = {"provider": provider, "collate": held["datcollate"], "ctype": held["datctype"]}
    if own := held.get("datlocale") or held.get("daticulocale"):
        locale["locale"] = own
    if rules := held.get("daticurules"):
        locale["rules"] = rules
    return DatabaseSource(database, row[2], row[0], row[1], row[3], locale), row[4]


def _text(value: bytes | str) -> str:
    """PostgreSQL's own type "char", which psycopg gives as bytes."""
    return value.decode() if isinstance(value, bytes) else value
