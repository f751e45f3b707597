"""Rows come back into any schema that PostgreSQL allows: whatever its names, types, keys, cycles and triggers."""

from collections.abc import Iterator
from unittest.mock import patch

import psycopg
import pytest
from psycopg import sql

from lab.postgres import PostgresServer
from lambdas.adapters.row_import import RowImport
from lambdas.adapters.row_recovery import export_rows, import_rows
from lambdas.domain.database_errors import DatabaseRequestFailed
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_errors import (
    RecoveryKeyDiffers,
    RecoveryNotOwner,
    RecoveryNotProved,
    RecoveryRefused,
    RecoverySchemaDiffers,
    RecoveryTableMissing,
    RecoveryTableUnknown,
)
from tests.adapters.recovery_world import Pair, counts, items, login_to
from tests.servers.postgres import PostgresServers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers
    servers.stop()


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, servers: PostgresServers) -> PostgresServer:
    return servers.shared(request.param)


# --- names and types --------------------------------------------------------------------------------------

NAMES = '''
create schema "Üml'aut; --";
create table "Üml'aut; --"."Order ""Items""" (
    "Select" int, "a'b" text, "name with space" text not null, "%s {0}" text, primary key ("Select", "a'b"),
    unique ("name with space"));
create table "select" ("from" int primary key, "Where" int, "a'b" text,
    foreign key ("Where", "a'b") references "Üml'aut; --"."Order ""Items""" on delete cascade);
insert into "Üml'aut; --"."Order ""Items""" values (1, 'x''y"z', 'one', '✉'), (1, 'other', 'two', '%s');
insert into "select" values (1, 1, 'x''y"z'), (2, 1, 'other'), (3, null, 'x''y"z');
'''


def test_names_may_be_anything(server: PostgresServer) -> None:
    pair = Pair(server, NAMES)
    table = '"Üml\'aut; --"."Order ""Items"""'
    pair.change(f"delete from {table} where \"a'b\" = 'other'")  # noqa: S608  # constants of this file
    plan = pair.plan(f'{table} where "Order ""Items"""."name with space" in (\'two\', \'100%\')')
    assert counts(plan) == {table: 1, '"select"'.strip('"'): 1}
    assert plan.tables[0].sample == [{"Select": "1", "a'b": "other", "name with space": "two", "%s {0}": "%s"}]
    pair.bring_back(table)
    assert pair.whole


TYPES = """
create extension if not exists citext;
create type mood as enum ('sad', 'glad');
create domain short as varchar(10) check (value <> 'bad');
create table kinds (
    id numeric primary key, r real, d double precision, n numeric, ts timestamptz, ti timestamp, da date, iv interval,
    b bytea, ints int[], texts text[][], j json, jb jsonb, x xml, u uuid, net inet, rng int4range, p point, bits bit(5),
    m mood, s short, c citext unique, mon money, tsv tsvector, v "char", comp char(6));
insert into kinds (id, r, d, n, ts, ti, da, iv, b, ints, texts, j, jb, u, net, rng, p, bits, m, s, c, mon, tsv, v, comp)
values (1.50, 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', '0044-03-15 BC', '1 mon -3 days 04:05:06.789',
    '\\x00ff5c0a', '{1,NULL,3}', '{{"a,b","c\\"d"},{"","NULL"}}', '{"b" : 1, "a":null, "b": 2}',
    '{"z": [1e400, "\\u2709"]}', '550e8400-e29b-41d4-a716-446655440000', '::1/64', '[1,5)', '(1.1,-0)', B'10101',
    'glad', 'ok', 'MixedCase', 12.34, 'fat & cat'::text::tsvector, 'x', 'pad'),
  (2, 1.1, 0.1, 1e-20, '2026-11-22 01:30:00+13:45', '2026-11-22 01:30', '2026-11-22', '-00:00:01', '', '{}', '{}',
    '"\\n"', '{}', null, null, 'empty', null, null, null, e'tab\\t\\\\n', 'other', -1, '', '', '');
insert into kinds (id) values (3);
"""


def test_every_type_comes_back_to_the_last_digit(server: PostgresServer) -> None:
    pair = Pair(server, TYPES)
    pair.change("alter database " + pair.live.database + " set datestyle = 'SQL, DMY'")
    pair.change("alter database " + pair.live.database + " set extra_float_digits = 0")
    before = pair.contents(pair.backup.database)
    pair.change("delete from kinds")
    assert pair.plan("kinds").rows == 3
    pair.bring_back("kinds")
    server.query(f"alter database {pair.live.database} reset all")
    assert pair.contents() == before


def test_keys_that_are_equal_though_written_otherwise_are_the_same_row(server: PostgresServer) -> None:
    pair = Pair(server, TYPES)
    pair.change("update kinds set id = 1.5000, c = 'MIXEDCASE' where id = 1; delete from kinds where id = 2")
    pair.change("insert into kinds (id, c) values (9, 'OTHER')")
    (conflict,) = pair.plan("kinds").conflicts
    assert (conflict.key, conflict.live_key) == ({"id": "2"}, {"id": "9"})


# --- what the server computes by itself -------------------------------------------------------------------

COMPUTED = """
create table numbered (
    id int generated always as identity primary key, twice int generated always as (n * 2) stored, n serial,
    other bigint generated by default as identity (start with 100 increment by -5 minvalue -1000 maxvalue 100));
create sequence shared;
alter table numbered add column free bigint default nextval('shared');
insert into numbered (n) select x from generate_series(1, 8) x;
"""


def test_identity_columns_keep_their_values_and_generated_ones_are_computed(server: PostgresServer) -> None:
    pair = Pair(server, COMPUTED)
    pair.change("delete from numbered where id in (3, 8)")
    pair.bring_back("numbered")
    assert pair.whole


def test_a_sequence_that_is_behind_is_raised_and_none_is_lowered(server: PostgresServer) -> None:
    pair = Pair(server, COMPUTED)
    pair.change("truncate numbered restart identity; select setval('shared', 1000); select setval('numbered_n_seq', 3)")
    assert pair.bring_back("numbered").rows == {"public.numbered": 8}
    pair.change("insert into numbered default values")
    assert pair.ask("select id, n, other, free from numbered order by id desc limit 1") == [(9, 9, 60, 1001)]


def test_a_sequence_that_is_ahead_stays_where_it_is(server: PostgresServer) -> None:
    pair = Pair(server, COMPUTED)
    pair.change("delete from numbered where id = 8; insert into numbered default values")
    before = pair.ask("select last_value, is_called from numbered_id_seq")
    pair.bring_back("numbered")
    assert pair.ask("select last_value, is_called from numbered_id_seq") == before


# --- keys -------------------------------------------------------------------------------------------------


def test_rows_without_a_primary_key_are_counted_by_what_they_hold(server: PostgresServer) -> None:
    pair = Pair(
        server,
        "create table log (a text, b json); insert into log values ('x', '{}'), ('x', '{}'), ('x', '{}'), ('x', null),"
        " (null, null), ('y', '{\"a\": 1}'); create table empty_one ()",
    )
    pair.change("delete from log where ctid in (select ctid from log where b::text = '{}' limit 2)")
    pair.change("delete from log where a is null; insert into log values ('new', null), ('y', '{\"a\": 1}')")
    plan = pair.plan("log")
    assert counts(plan) == {"log": 3}
    assert counts(pair.plan("log where a = 'x'")) == {"log": 2}
    assert pair.bring_back("log").rows == {"public.log": 3}
    assert sorted(map(str, pair.contents()["log"])) == sorted(
        [*pair.contents(pair.backup.database)["log"], "(new,)", '(y,"{""a"": 1}")']
    )
    assert pair.plan("log").nothing_missing


def test_while_rows_without_a_primary_key_are_imported_nobody_else_writes_there(server: PostgresServer) -> None:
    pair = Pair(server, "create table log (a text); insert into log values ('x'), ('y')")
    pair.change("delete from log")
    plan, insert = pair.plan("log"), RowImport._insert
    seen = []

    def looked_at(self: RowImport, table: Table, target: sql.Identifier) -> None:
        seen.extend(self._live.rows(sql.SQL("show transaction_isolation")))
        with server.connect(pair.live.database) as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("set lock_timeout = '100ms'; insert into log values ('x')")
        insert(self, table, target)

    with patch.object(RowImport, "_insert", looked_at):
        import_rows(pair.backup, pair.live, items(["log"]), plan.digest)
    assert seen == [("serializable",)]
    assert pair.whole


def test_a_row_without_a_primary_key_may_hang_on_one_that_has_one(server: PostgresServer) -> None:
    pair = Pair(
        server,
        "create table owner (id int primary key); create table thing (owner_id int references owner on delete cascade,"
        " name text unique); insert into owner values (1), (2);"
        " insert into thing values (1, 'a'), (1, null), (1, null), (2, 'b'), (null, 'c')",
    )
    pair.change("delete from owner where id = 1; insert into thing values (2, 'a')")
    plan = pair.plan("owner where id = 1", on_conflict="skip")
    assert counts(plan) == {"owner": 1, "thing": 2}
    assert [each.live_key.keys() for each in plan.conflicts] == [{"mailark_digest", "mailark_copy"}]
    pair.bring_back("owner where id = 1", on_conflict="skip")
    assert pair.ask("select owner_id, name from thing where owner_id = 1") == [(1, None), (1, None)]


def test_a_foreign_key_may_refer_to_any_unique_columns(server: PostgresServer) -> None:
    pair = Pair(
        server,
        "create table p (id int primary key, a text, b int, unique (b, a)); create table c (id int primary key, x int,"
        " y text, foreign key (y, x) references p (a, b) on delete cascade);"
        " insert into p values (1, 'one', 1), (2, 'two', 2); insert into c values (10, 1, 'one'), (20, 2, 'two'),"
        " (30, 1, null)",
    )
    pair.change("delete from p where id = 1")
    assert counts(pair.plan("p where id = 1")) == {"p": 1, "c": 1}
    assert counts(pair.plan("c")) == {"p": 1, "c": 1}
    pair.bring_back("p")
    assert pair.whole


# --- cycles -----------------------------------------------------------------------------------------------


def test_a_table_that_refers_to_itself_comes_back_whatever_its_depth(server: PostgresServer) -> None:
    pair = Pair(
        server,
        "create table tree (id int primary key, up int not null references tree on delete cascade);"
        " insert into tree select x, greatest(x / 2, 1) from generate_series(1, 300) x;"
        " insert into tree select 1000 + x, 1000 + greatest(x - 1, 1) from generate_series(1, 60) x",
    )
    pair.change("delete from tree where id in (2, 1001)")
    assert counts(pair.plan("tree where id = 1001")) == {"tree": 60}
    assert counts(pair.plan("tree where id = 1060")) == {"tree": 60}
    pair.bring_back("tree")
    assert pair.whole


CYCLE = """
create table a (id int primary key, b_id int {null});
create table b (id int primary key, c_id int {null});
create table c (id int primary key, a_id int {null}, unique (a_id));
insert into a select x, x from generate_series(1, 5) x;
insert into b select x, x from generate_series(1, 5) x;
insert into c select x, x % 5 + 1 from generate_series(1, 5) x;
alter table a add foreign key (b_id) references b on delete cascade {deferrable};
alter table b add foreign key (c_id) references c on delete cascade {deferrable};
alter table c add foreign key (a_id) references a on delete cascade {deferrable};
create table d (id int primary key, c_id int references c on delete cascade);
insert into d select x, x from generate_series(1, 5) x;
"""


@pytest.mark.parametrize("null", ["null", "not null"])
@pytest.mark.parametrize("deferrable", ["", "deferrable", "deferrable initially deferred"])
def test_tables_that_refer_to_each_other_in_a_circle_come_back(
    server: PostgresServer, null: str, deferrable: str
) -> None:
    pair = Pair(server, CYCLE.format(null=null, deferrable=deferrable))
    pair.change("delete from b where id = 3")
    assert pair.contents()["a"] == []
    assert pair.bring_back("b where id = 3").rows.keys() == {"public.a", "public.b", "public.c", "public.d"}
    assert pair.whole


# --- partitions, heirs, triggers --------------------------------------------------------------------------

PARTITIONS = """
create table account (id int primary key);
create table mail (at date, id int, account int references account on delete cascade, primary key (at, id))
    partition by range (at);
create table mail_2025 partition of mail for values from ('2025-01-01') to ('2026-01-01');
create table mail_2026 partition of mail for values from ('2026-01-01') to ('2027-01-01') partition by hash (id);
create table mail_2026_0 partition of mail_2026 for values with (modulus 2, remainder 0);
create table mail_2026_1 partition of mail_2026 for values with (modulus 2, remainder 1);
create table flag (at date, id int, note text, foreign key (at, id) references mail on delete cascade);
insert into account values (1), (2);
insert into mail select '2025-06-01'::date + x, x, 1 + x % 2 from generate_series(1, 400) x;
insert into flag select at, id, 'seen' from mail;
create table plain (at date, id int, note text);
create table special (account int references account on delete cascade) inherits (plain);
insert into special values ('2025-01-01', 1, 'heir', 1);
"""


def test_partitions_and_heirs_come_back_where_they_were(server: PostgresServer) -> None:
    pair = Pair(server, PARTITIONS)
    pair.change("delete from account where id = 2")
    plan = pair.plan("account where id = 2")
    assert counts(plan) == {"account": 1, "mail": 200, "flag": 200}
    pair.bring_back("account")
    assert pair.whole
    pair.change("delete from plain")
    assert counts(pair.plan("plain")) == {}
    assert counts(pair.plan("special")) == {"special": 1}


TRIGGERS = (
    PARTITIONS  # noqa: S608  # constants of this file
    + """
create table heard (what text);
create function hear() returns trigger language plpgsql as $$
    begin insert into heard values (tg_table_name || tg_op); new.note = 'changed'; return new; end $$;
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
create function listen() returns trigger language plpgsql as $$
    begin insert into heard values ('s'); return null; end $$;
create trigger changes before insert on flag for each row execute function hear();
create trigger always_on before insert on flag for each row execute function refuse();
alter table flag enable always trigger always_on;
create trigger was_off before insert on flag for each row execute function refuse();
alter table flag disable trigger was_off;
create trigger on_root after insert on mail for each row execute function refuse();
create trigger on_part after insert on mail_2025 for each statement execute function listen();
create constraint trigger checks after insert on account deferrable initially deferred
    for each row execute function refuse();
"""
)
STATES = "select tgrelid::regclass::text, tgname, tgenabled::text from pg_trigger where not tgisinternal order by 1, 2"


def test_triggers_stay_silent_for_old_rows_and_are_as_before_afterwards(server: PostgresServer) -> None:
    pair = Pair(server, TRIGGERS)
    before = pair.ask(STATES)
    assert ("flag", "always_on", "A") in before
    assert ("flag", "was_off", "D") in before
    pair.change("delete from account where id = 2")
    pair.bring_back("account")
    assert pair.whole
    assert pair.ask(STATES) == before


def test_a_role_that_does_not_own_the_table_cannot_silence_triggers_and_imports_nothing(
    server: PostgresServer,
) -> None:
    pair = Pair(server, TRIGGERS)
    password = server.create_role(f"helper_of_{pair.live.database}")
    pair.change(f"grant select, insert, update on all tables in schema public to helper_of_{pair.live.database}")
    pair.change("delete from account where id = 2")
    plan, before = pair.plan("account"), pair.contents()
    helper = login_to(server, pair.live.database, f"helper_of_{pair.live.database}", password)
    with pytest.raises(
        RecoveryNotOwner, match=r"helper_of_live_\d+ does not own public\.account, public\.flag, public\.m"
    ):
        import_rows(pair.backup, helper, items(["account"]), plan.digest)
    assert pair.contents() == before


def test_an_owner_needs_no_superuser(server: PostgresServer) -> None:
    pair = Pair(server, TRIGGERS)
    owner = f"owner_of_{pair.live.database}"
    password = server.create_role(owner)
    pair.change("; ".join(f"alter table {table} owner to {owner}" for table in pair.contents()))
    pair.change(f"grant create, usage on schema public to {owner}")
    pair.change("delete from account where id = 2")
    plan = pair.plan("account")
    import_rows(pair.backup, login_to(server, pair.live.database, owner, password), items(["account"]), plan.digest)
    assert pair.whole


def test_a_row_that_arrives_otherwise_than_it_was_is_not_committed(server: PostgresServer) -> None:
    pair = Pair(
        server, "create table t (id int primary key, n numeric, c char(3)); insert into t values (1, 2.50, 'a')"
    )
    pair.change("delete from t; create function f() returns trigger language plpgsql as"
                " $$ begin new.n = 9; return new; end $$")  # fmt: skip
    pair.change("create trigger f before insert on t for each row execute function f()")
    plan = pair.plan("t")
    with (
        patch.object(RowImport, "_silence", return_value=[]),
        pytest.raises(RecoveryNotProved, match=r"public\.t .*their checksum is another"),
    ):
        import_rows(pair.backup, pair.live, items(["t"]), plan.digest)
    assert pair.contents()["t"] == []


# --- row-level security, and other databases than the backup's --------------------------------------------


def test_a_policy_that_would_hide_rows_is_refused_and_never_obeyed(server: PostgresServer) -> None:
    pair = Pair(
        server,
        "create table seen (id int primary key); insert into seen values (1), (2);"
        " create policy p on seen using (id = 1); alter table seen enable row level security",
    )
    reader = f"reader_of_{pair.live.database}"
    password = server.create_role(reader)
    for database in (pair.live.database, pair.backup.database):
        server.query(f"grant select, insert on seen to {reader}", database)
    live = login_to(server, pair.live.database, reader, password)
    with pytest.raises(DatabaseRequestFailed, match="42501"):
        import_rows(pair.backup, live, items(["seen"]), "")
    pair.change("delete from seen where id = 2")
    assert pair.bring_back("seen").rows == {"public.seen": 1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("alter table b add column extra int default 1", r"public\.b has no column extra in the backup"),
        ("alter table b drop column note", r"public\.b has no column note in the live database"),
        ("alter table b alter note type varchar(9)", r"b\.note is text in the backup and character varying\(9\) in"),
        ("alter table b rename note to \"No\"", r"no column No in the backup; public\.b has no column note in"),
        ("alter table b drop twice; alter table b add twice int", r"public\.b\.twice is generated in the backup alone"),
    ],
)  # fmt: skip
def test_columns_that_differ_are_named_and_nothing_is_done(server: PostgresServer, change: str, told: str) -> None:
    pair = Pair(server, "create table a (id int primary key); create table b (id int primary key, a_id int references a"
        " on delete cascade, note text, twice int generated always as (id * 2) stored);"
        " insert into a values (1); insert into b values (1, 1, 'x')")  # fmt: skip
    pair.change("delete from a")
    pair.change(change)
    with pytest.raises(RecoverySchemaDiffers, match=told):
        pair.plan("a")
    assert pair.contents()["a"] == []


def test_a_primary_key_that_differs_is_named_and_not_even_exported(server: PostgresServer) -> None:
    pair = Pair(server, "create table a (id int primary key, b int); insert into a values (1, 2)")
    pair.change("delete from a; alter table a drop constraint a_pkey")
    told = r"the primary key of public\.a is id in the backup and nothing in the live database"
    with pytest.raises(RecoveryKeyDiffers, match=told):
        pair.plan("a")
    with pytest.raises(RecoveryKeyDiffers, match=told):
        next(export_rows(pair.backup, pair.live, items(["a"])))


def test_a_table_that_misses_no_row_may_have_changed(server: PostgresServer) -> None:
    pair = Pair(server, "create table a (id int primary key); create table b (id int primary key, a_id int"
        " references a); insert into a values (1), (2); insert into b values (1, 1)")  # fmt: skip
    pair.change("delete from a where id = 2; alter table b add column extra int default 1")
    assert pair.bring_back("a").rows == {"public.a": 1}


def test_a_table_that_only_one_of_both_has_is_named(server: PostgresServer) -> None:
    pair = Pair(server, "create table a (id int primary key); create table old (id int references a on delete cascade);"
        " insert into a values (1); insert into old values (1)")  # fmt: skip
    pair.change("drop table old; create table new (id int references a on delete cascade); delete from a")
    with pytest.raises(RecoveryTableMissing, match=r"public\.old is in the backup alone"):
        pair.plan("old")
    with pytest.raises(RecoveryTableMissing, match=r"public\.new is in the live database alone"):
        pair.plan("public.new")
    with pytest.raises(RecoveryTableUnknown, match=r"no table nothing.*\n.*: public\.a, public\.new, public\.old\."):
        pair.plan("nothing")
    assert pair.plan("a").only_in_backup == ["public.old"]
    pair.bring_back("a")
    assert pair.contents()["a"] == ["(1)"]


def test_a_rule_that_came_after_the_backup_is_named_and_nothing_is_imported(server: PostgresServer) -> None:
    pair = Pair(server, "create table a (id int primary key, n int); insert into a values (1, -1), (2, 1)")
    pair.change("delete from a; alter table a add constraint positive check (n > 0)")
    with pytest.raises(RecoveryRefused, match=r"did not take the rows of public\.a \(23514, positive\)"):
        pair.bring_back("a")
    assert pair.contents()["a"] == []
    files = {str(table): b"".join(blocks) for table, blocks in export_rows(pair.backup, pair.live, items(["a"]))}
    assert files == {"public.a": b"id,n\n1,-1\n2,1\n"}


def test_an_empty_database_and_an_empty_loss_are_no_errors(server: PostgresServer) -> None:
    pair = Pair(server, "create table a (id int primary key); create table none ()")
    assert pair.plan("a", "none").nothing_missing
    assert pair.bring_back("a", "none").nothing_missing
