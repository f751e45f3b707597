"""Missing rows put into the live database, inside of the transaction that found them: all of them, or none."""

from collections.abc import Sequence

from psycopg import errors, sql

from lambdas.adapters.missing_rows import MissingRows
from lambdas.adapters.recovery_session import equal, identifier, names, sent, taken, temporary
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_errors import RecoveryNotOwner, RecoveryNotProved, RecoveryRefused

_TRIGGERS = """
select n.nspname, c.relname, t.tgname, t.tgenabled::text, pg_has_role(c.relowner, 'USAGE')
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
 where (c.oid = {table}::regclass or c.oid in (select relid from pg_partition_tree({table}::regclass)))
   and t.tgenabled in ('O', 'A') and t.tgtype & 4 <> 0
   and (t.tgconstraint = 0 or exists (select from pg_constraint k where k.oid = t.tgconstraint and k.contype = 't'))
 order by 1, 2, 3
"""
"""Those that an INSERT fires, on the table and its partitions, but for the server's own (pg_trigger.h: INSERT is 4)."""
_SEQUENCES = """
select distinct sn.nspname, s.relname, a.attname, q.seqincrement < 0, q.seqmin, q.seqmax
  from pg_attribute a
  left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
  join pg_depend d on (d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
                       and d.refobjid = a.attrelid and d.refobjsubid = a.attnum and d.deptype in ('a', 'i'))
                   or (d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass)
  join pg_class s on s.oid in (d.objid, d.refobjid) and s.relkind = 'S'
  join pg_namespace sn on sn.oid = s.relnamespace
  join pg_sequence q on q.seqrelid = s.oid
 where a.attrelid = {table}::regclass and a.attnum > 0 and a.atttypid in (20, 21, 23)
"""
"""Owned by a column, or named in its default; int8, int2 and int4 (pg_type.dat)."""

Trigger = tuple[sql.Identifier, sql.Identifier, str]


class RowImport:
    """The import of the rows in `missing` that are not marked as left out."""

    def __init__(self, missing: MissingRows) -> None:
        self._missing, self._backup, self._live = missing, missing.backup, missing.live

    def run(self, tables: Sequence[Table]) -> None:
        """Insert, check and prove the rows of these tables. COMMIT comes after it, and is the caller's.

        Triggers do not fire: the rows are old, and what triggers once made of them is in the backup too. It takes the
        owner's right to switch them off, and a lock that lets nobody else write to these tables until COMMIT.

        Raises `RecoveryNotOwner`, `RecoveryRefused` and `RecoveryNotProved`.
        """
        triggers = self._silence(tables)
        self._live.run(sql.SQL("set constraints all deferred"))
        for group in self._missing.keys.import_order(tables):
            try:
                self._insert_cycle(group) if len(group) > 1 else self._insert(group[0], identifier(group[0]))
            except errors.UniqueViolation:
                raise  # another session has been here since the search, and so it is begun anew
            except (errors.IntegrityError, errors.DataError) as error:
                raise self._refused(group, error) from None
        try:
            self._live.run(sql.SQL("set constraints all immediate"))
        except errors.IntegrityError as error:
            raise self._refused(tables, error) from None
        for relation, name, state in triggers:
            how = sql.SQL("enable always" if state == "A" else "enable")
            self._live.run(sql.SQL("alter table only {} {} trigger {}").format(relation, how, name))
        for table in tables:
            self._prove(table)
        for table in tables:
            self._raise_sequences(table)

    def _silence(self, tables: Sequence[Table]) -> list[Trigger]:
        """Switch triggers off until the end of the transaction, or until they are switched on again."""
        found: list[Trigger] = []
        foreign = []
        for table in tables:
            name = sql.Literal(identifier(table).as_string(self._live.connection))
            for schema, relation, trigger, state, owned in self._live.rows(sql.SQL(_TRIGGERS).format(table=name)):
                found.append((sql.Identifier(str(schema), str(relation)), sql.Identifier(str(trigger)), str(state)))
                foreign += [] if owned else [str(table)]
        if foreign:
            raise RecoveryNotOwner(user=self._live.login.user, tables=", ".join(sorted(set(foreign))))
        for relation_name, trigger_name, _ in found:
            self._live.run(sql.SQL("alter table only {} disable trigger {}").format(relation_name, trigger_name))
        return found

    # --- the rows -----------------------------------------------------------------------------------------

    def _insert(self, table: Table, target: sql.Identifier) -> None:
        """COPY takes the values of identity columns as they come, as OVERRIDING SYSTEM VALUE does (its manual page)."""
        columns = self._backup.shape(table).stored
        key = self._backup.key(table)
        rows = sql.SQL("from {} f join {} t on {} where f.mailark_left is null").format(
            self._missing.temp("found", table),
            self._missing.source(self._backup, table),
            equal("f", key, "t", key),
        )
        came = self._live.fill(taken(target, columns), self._backup.blocks(sent(columns, rows)))
        if came != (wanted := self.count(table)):
            raise RecoveryNotProved(table=table, problem=f"{came:,} rows came of {wanted:,}")

    def _insert_cycle(self, group: Sequence[Table]) -> None:
        """Insert into all tables of a cycle by one statement: foreign keys are looked at when it ends.

        So no key has to be deferrable or nullable, and no row is written twice.
        """
        inserts = []
        for place, table in enumerate(group):
            columns, staged = names(self._backup.shape(table).stored), temporary(f"cycle_{place}")
            create = sql.SQL("create temporary table {} on commit drop as select {} from {} with no data")
            self._live.run(create.format(staged, columns, identifier(table)))
            self._insert(table, staged)
            inserts.append(
                sql.SQL("{} as (insert into {} ({}) overriding system value select {} from {})").format(
                    sql.Identifier(f"into_{place}"), identifier(table), columns, columns, staged
                )
            )
        self._live.run(sql.SQL("with {} select 1").format(sql.SQL(", ").join(inserts)))
        for place, _ in enumerate(group):
            self._live.run(sql.SQL("drop table {}").format(temporary(f"cycle_{place}")))

    def _refused(self, tables: Sequence[Table], error: errors.Error) -> RecoveryRefused:
        problem = error.diag.constraint_name or error.diag.column_name or type(error).__name__
        among = ", ".join(str(table) for table in tables)
        return RecoveryRefused(tables=among, state=error.sqlstate or "none", problem=problem)

    # --- the proof ----------------------------------------------------------------------------------------

    def count(self, table: Table) -> int:
        """How many rows of a table the import brings."""
        query = sql.SQL("select count(*) from {} where mailark_left is null")
        return self._backup.number(query.format(self._missing.temp("found", table)))

    def _prove(self, table: Table) -> None:
        """Look for each row in live, compare all that it holds, and look for every row that it refers to."""
        missing, live = self._missing, self._live
        if not live.shape(table).key:
            missing.number_rows(live, table)
        found = missing.temp("found", table)
        if lacking := missing.ask(table, sql.SQL("from {} t where t.mailark_left is null").format(found)):
            raise RecoveryNotProved(table=table, problem=f"{lacking:,} rows are not there, or hold something else")
        key = live.key(table)
        columns = names(self._backup.shape(table).stored, "t")
        query = sql.SQL(
            "select count(*) || ' ' || coalesce(sum(hashtextextended(row({})::text, 0)), 0) from {} k join {} t on {}{}"
        )
        here = query.format(
            columns, found, missing.source(self._backup, table), equal("k", key, "t", key),
            sql.SQL(" where k.mailark_left is null"),
        )  # fmt: skip
        asked = missing.temp("asked", table)
        there = query.format(columns, asked, missing.source(live, table), equal("k", key, "t", key), sql.SQL(""))
        if self._backup.rows(here) != live.rows(there):
            raise RecoveryNotProved(table=table, problem="their checksum is another")
        for foreign in live.schema.keys.from_child(table):
            present = [sql.SQL("{} is not null").format(sql.Identifier("t", column)) for column in foreign.columns]
            only = sql.SQL("" if live.shape(foreign.parent).partitioned else "only ")
            orphans = live.number(
                sql.SQL(
                    "select count(*) from {} k join {} t on {} where {} and not exists (select from {}{} p where {})"
                ).format(
                    asked,
                    missing.source(live, table, foreign.within),
                    equal("k", key, "t", key),
                    sql.SQL(" and ").join(present),
                    only,
                    identifier(foreign.parent),
                    equal("p", foreign.parent_columns, "t", foreign.columns),
                )
            )
            if orphans:
                raise RecoveryNotProved(table=table, problem=f"{orphans:,} rows break {foreign.name}")

    def _raise_sequences(self, table: Table) -> None:
        """Bring each sequence to at least what its column holds.

        This outlives a rollback, which leaves a gap in its numbers, and no harm. nextval is asked rather than the
        sequence read, since others draw numbers meanwhile: what it gives is above all that anybody has.
        """
        name = sql.Literal(identifier(table).as_string(self._live.connection))
        for schema, sequence, column, falling, least, most in self._live.rows(sql.SQL(_SEQUENCES).format(table=name)):
            falls = bool(falling)
            relation = sql.Identifier(str(schema), str(sequence))
            reached = self._live.rows(
                sql.SQL("select {}({}) from {}").format(
                    sql.SQL("min" if falls else "max"), sql.Identifier(str(column)), identifier(table)
                )
            )[0][0]
            last = self._live.rows(sql.SQL("select last_value from {}").format(relation))[0][0]
            if reached is None or not int(str(least)) <= int(str(reached)) <= int(str(most)):
                continue
            if (int(str(last)) <= int(str(reached))) if falls else (int(str(last)) >= int(str(reached))):
                continue
            text = sql.Literal(relation.as_string(self._live.connection))
            self._live.run(
                sql.SQL(
                    "select setval({0}::regclass, {1}) from (select nextval({0}::regclass) n) x where n {2} {1}"
                ).format(text, reached, sql.SQL(">" if falls else "<"))
            )
