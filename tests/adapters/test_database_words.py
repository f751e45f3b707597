"""What PostgreSQL writes in other words once it was loaded is proved all the same, and what is another thing is not."""

import pytest

from lab.postgres import PostgresServer
from lambdas.domain.database_errors import DatabaseNotProved
from tests.adapters.database_house import RESTORED, made, prove, restored, taken
from tests.servers.postgres import PostgresServers

IN_A_LIST = "s in ('active', 'closed')"
TABLE = "create table t (id int, x int, y int, s varchar(20))"
FUNCTION = "create function f() returns trigger language plpgsql as 'begin return new; end'"

WORDS: dict[str, list[str]] = {
    "a check of a varchar against a list": [TABLE, f"alter table t add constraint c check ({IN_A_LIST})"],
    "a check with between": [TABLE, "alter table t add constraint c check (x between 1 and 5 and y > 0)"],
    "a partial index": [TABLE, f"create index on t (id) where {IN_A_LIST}"],
    "a view": [TABLE, "create view v as select id from t where s in ('active', 'closed')"],
    "a materialized view": [TABLE, "create materialized view v as select id from t where s in ('active', 'closed')"],
    "a policy": [TABLE, "alter table t enable row level security", f"create policy p on t using ({IN_A_LIST})"],
    "a generated column": [TABLE, f"alter table t add g boolean generated always as ({IN_A_LIST}) stored"],
    "a trigger's condition": [
        TABLE,
        FUNCTION,
        f"create trigger g before insert on t for each row when (new.{IN_A_LIST}) execute function f()",
    ],
    "a default": [TABLE, "alter table t add d varchar(5)[] default array['a', 'b']"],
    "a domain": [f"create domain d as varchar(20) check ({IN_A_LIST.replace('s', 'value', 1)})"],
    "a rule": [TABLE, f"create rule r as on insert to t where new.{IN_A_LIST} do nothing"],
    "an exclusion": [TABLE, f"alter table t add exclude using btree (id with =) where ({IN_A_LIST})"],
    "statistics on an expression": [TABLE, "create statistics st on (x between 1 and 5 and y > 0), y from t"],
}
ROWS = "insert into t (id, x, y, s) select i, 3, 1, 'active' from generate_series(1, 5) i"


@pytest.fixture(params=["17", "14", "18"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


@pytest.mark.parametrize("case", WORDS)
def test_what_is_written_in_other_words_is_proved(case: str, server: PostgresServer) -> None:
    statements = [*WORDS[case], ROWS] if TABLE in WORDS[case] else WORDS[case]
    dump = taken(made(server, *statements))
    prove(restored(dump, server), dump)


def test_it_is_told_whether_the_bytes_are_the_same_too(server: PostgresServer) -> None:
    for words, same in (("a check of a varchar against a list", False), ("a default", True)):
        dump = taken(made(server, *WORDS[words]))
        assert prove(restored(dump, server), dump) is same


@pytest.mark.parametrize(
    "change",
    [
        "alter table t drop constraint c",
        "alter table t drop constraint c, add constraint c check (s in ('active', 'open'))",
        "alter table t drop constraint c, add constraint c check (s not in ('open', 'closed'))",
        "alter table t alter s type varchar(30)",
    ],
)
def test_what_is_another_thing_is_not(change: str, server: PostgresServer) -> None:
    dump = taken(made(server, *WORDS["a check of a varchar against a list"], ROWS))
    login = restored(dump, server)
    server.query(change, RESTORED)
    with pytest.raises(DatabaseNotProved, match="its own dump is not the one that it was restored from"):
        prove(login, dump)
