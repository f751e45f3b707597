"""What PostgreSQL's catalog says of a database's tables: columns, keys, and who refers to whom."""

from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.adapters.postgres import Rows
from lambdas.domain.foreign_keys import ForeignKey, ForeignKeys, Table


@dataclass(frozen=True)
class Column:
    """`type` as SQL has it, with its length or precision; `generated` is computed by the server."""

    name: str
    type: str
    generated: bool


@dataclass(frozen=True)
class UniqueKey:
    """A unique index, with or without a constraint; not the primary key's.

    `expressions` and `predicate` are SQL over the table's own columns, of which `columns` are used.
    """

    name: str
    columns: tuple[str, ...]
    expressions: tuple[str, ...]
    predicate: str | None
    nulls_equal: bool


@dataclass(frozen=True)
class Shape:
    """One table. `key` is its primary key in the key's own order, and `key_name` its name; both empty without one."""

    table: Table
    partitioned: bool
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    uniques: tuple[UniqueKey, ...]
    key_name: str

    @property
    def stored(self) -> list[str]:
        """The columns that a row is made of: those that are not generated."""
        return [column.name for column in self.columns if not column.generated]


@dataclass(frozen=True)
class Schema:
    """All tables of a database, partitions only by what they are a part of; and its foreign keys."""

    shapes: Mapping[Table, Shape]
    keys: ForeignKeys


_SYSTEM = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
_TABLES = f"""
select n.nspname, c.relname, c.relkind = 'p',
       array(select a.attname::text from pg_index i, unnest(i.indkey) with ordinality k(num, place)
               join pg_attribute a on a.attrelid = c.oid and a.attnum = k.num
              where i.indrelid = c.oid and i.indisprimary and k.place <= i.indnkeyatts order by k.place),
       coalesce((select x.relname from pg_index i join pg_class x on x.oid = i.indexrelid
                  where i.indrelid = c.oid and i.indisprimary), '')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't' and {_SYSTEM}
"""  # noqa: S608  # made of constants
_COLUMNS = f"""
select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated <> ''
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped and {_SYSTEM}
 order by a.attnum
"""  # noqa: S608  # as above
_UNIQUES = f"""
select n.nspname, c.relname, x.relname,
       array(select a.attname::text from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0
                and (a.attnum = any(i.indkey[:i.indnkeyatts - 1]) or exists (
                     select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
                        and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum))
              order by a.attnum),
       array(select pg_get_indexdef(i.indexrelid, place, false) from generate_series(1, i.indnkeyatts) place
              order by place),
       pg_get_expr(i.indpred, i.indrelid),
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
  from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
  join pg_namespace n on n.oid = c.relnamespace
 where i.indisunique and not i.indisprimary and i.indisvalid and not c.relispartition and {_SYSTEM}
 order by x.relname
"""  # noqa: S608  # as above
_FOREIGN_KEYS = f"""
with recursive roots(part, root) as (
    select c.oid, c.oid from pg_class c where c.relkind in ('r', 'p') and not c.relispartition
    union all select i.inhrelid, r.root from roots r join pg_inherits i on i.inhparent = r.part
      join pg_class p on p.oid = i.inhrelid and p.relispartition)
select k.conname, n.nspname, c.relname, fn.nspname, f.relname, wn.nspname, w.relname,
       array(select a.attname::text from unnest(k.conkey) with ordinality u(num, place)
               join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num order by place),
       array(select a.attname::text from unnest(k.confkey) with ordinality u(num, place)
               join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num order by place),
       k.condeferrable
  from pg_constraint k
  join roots cr on cr.part = k.conrelid join pg_class c on c.oid = cr.root join pg_namespace n on n.oid = c.relnamespace
  join roots fr on fr.part = k.confrelid join pg_class f on f.oid = fr.root
  join pg_namespace fn on fn.oid = f.relnamespace
  join pg_class w on w.oid = k.conrelid join pg_namespace wn on wn.oid = w.relnamespace
 where k.contype = 'f' and k.conparentid = 0 and {_SYSTEM}
   and not coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false)
"""  # noqa: S608  # as above
"""Those over periods of time (PostgreSQL 18, PERIOD) are not equal to their parents, and are left to the server."""


def read_schema(connection: Rows) -> Schema:
    """The tables, columns, unique and foreign keys of the database that a connection is to."""
    columns: dict[Table, list[Column]] = {}
    for schema, name, *column in connection.execute(_COLUMNS):
        columns.setdefault(Table(schema, name), []).append(Column(*column))
    uniques: dict[Table, list[UniqueKey]] = {}
    for schema, name, index, used, expressions, predicate, nulls in connection.execute(_UNIQUES):
        key = UniqueKey(index, tuple(used), tuple(expressions), predicate, nulls)
        uniques.setdefault(Table(schema, name), []).append(key)
    shapes = {
        (table := Table(schema, name)): Shape(
            table, partitioned, tuple(columns.get(table, ())), tuple(key), tuple(uniques.get(table, ())), key_name
        )
        for schema, name, partitioned, key, key_name in connection.execute(_TABLES)
    }
    keys = [
        ForeignKey(
            child=Table(child_schema, child),
            name=name,
            columns=tuple(own),
            parent=Table(parent_schema, parent),
            parent_columns=tuple(others),
            within=Table(within_schema, within),
            deferrable=deferrable,
        )
        for (
            name,
            *(child_schema, child, parent_schema, parent, within_schema, within),
            own,
            others,
            deferrable,
        ) in connection.execute(_FOREIGN_KEYS)
    ]
    return Schema(shapes, ForeignKeys(keys))


def differences(backup: Shape, live: Shape) -> list[str]:
    """How a table's columns differ between the two, in words; empty when a row of the one fits into the other."""
    then, now = ({column.name: column for column in shape.columns} for shape in (backup, live))
    found = [f"{live.table} has no column {name} in the live database" for name in then if name not in now]
    found += [f"{live.table} has no column {name} in the backup" for name in now if name not in then]
    for name in then.keys() & now.keys():
        old, new = then[name], now[name]
        if old.type != new.type:
            found.append(f"{live.table}.{name} is {old.type} in the backup and {new.type} in the live database")
        elif old.generated != new.generated:
            found.append(
                f"{live.table}.{name} is generated in {'the backup' if old.generated else 'the live one'} alone"
            )
    return sorted(found)


def key_differences(backup: Shape, live: Shape) -> list[str]:
    """How a table's primary key differs: then no row of the one can be found in the other."""
    types = [{column.name: column.type for column in shape.columns} for shape in (backup, live)]
    if [(name, types[0][name]) for name in backup.key] == [(name, types[1][name]) for name in live.key]:
        return []
    old, new = (", ".join(shape.key) or "nothing" for shape in (backup, live))
    return [f"the primary key of {live.table} is {old} in the backup and {new} in the live database"]
