"""A live database and a restored one beside it, for swaps: each holds one word, `old` or `new`."""

from typing import Any

from lab.postgres import PostgresServer
from lambdas.adapters.database_marks import mark
from lambdas.adapters.database_swap import SwapFacts
from lambdas.adapters.postgres import Login
from lambdas.domain.database_mark import Mark
from lambdas.domain.swap import Swap
from tests.servers.postgres import PostgresServers, fresh_database

SWAP = Swap("op-1", "smtpy", "smtpy_restored", "smtpy_corrupt_20261122_030000")
UNDONE = "smtpy_undone_20261122_040000"
NEXT_SWAP = Swap("op-2", "smtpy", "smtpy_restored", "smtpy_corrupt_20261123_030000")
NEXT_UNDONE = "smtpy_undone_20261123_040000"
NAMES = ("smtpy", SWAP.restored, SWAP.corrupt, UNDONE, NEXT_SWAP.corrupt, NEXT_UNDONE)
ROLES = ("smtpy_owner", "smtpy_app", "Grace's", "mailark")
MARK = Mark("op-1", "database/daily/2026-11-22/smtpy", verified=True)
SWAPPED = SwapFacts("swapped", MARK.backup_id, corrupt=True)
WAITING = SwapFacts("waiting", None, corrupt=False)
BACK = SwapFacts("undone", None, corrupt=False)


def swap_server(servers: PostgresServers, major: str) -> PostgresServer:
    """A running server with the roles that the tests give databases to."""
    server = servers.start(major)
    for role in ROLES:
        server.create_role(role, "secret")
    server.query("create role nobodys; alter role mailark createdb; grant smtpy_owner, pg_signal_backend to mailark")
    return server


def login_to(server: PostgresServer, user: str = "postgres") -> Login:
    password = server.superuser_password if user == "postgres" else "secret"
    return Login(server.host, server.port, "nowhere", user, password, server.authority.pem)


def make(server: PostgresServer) -> None:
    for name in NAMES:
        server.drop_database(name)
    _say(server, "smtpy", "old", "smtpy_owner")
    restored(server, "new", MARK)


def restored(server: PostgresServer, says: str, made_for: Mark) -> None:
    """A restored database beside the live one."""
    _say(server, SWAP.restored, says, "postgres")
    mark(login_to(server), SWAP.restored, made_for)


def _say(server: PostgresServer, name: str, says: str, owner: str) -> None:
    fresh_database(server, name, owner)
    server.query(f"create table says (word) as values ('{says}')", name)


def word(server: PostgresServer, name: str = "smtpy") -> object:
    return server.query("select word from says", name)[0][0]


def names(server: PostgresServer) -> set[str]:
    return {row[0] for row in server.query("select datname from pg_database")} & set(NAMES)


RULES = """
select pg_get_userbyid(datdba), datconnlimit, datallowconn,
       (select array_agg(a::text order by a::text) from unnest(coalesce(datacl, acldefault('d', datdba))) a),
       (select array_agg(format('%%s %%s', setrole::regrole, setconfig) order by setrole) from pg_db_role_setting
         where setdatabase = d.oid)
  from pg_database d where datname = %s
"""


def rules(server: PostgresServer, name: str) -> tuple[Any, ...]:
    return server.query(RULES, "postgres", [name])[0]


def comment(server: PostgresServer, name: str) -> str | None:
    found = server.query(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", "postgres", [name]
    )
    return None if found[0][0] is None else str(found[0][0])
