"""What PostgreSQL keeps of a database outside of it comes back with a dump, though no live database is left."""

import json
from collections.abc import Iterator

import msgspec
import pytest
from msgspec import UNSET

from lab.postgres import PostgresServer
from lambdas.adapters.database_marks import mark
from lambdas.adapters.database_rules import give_recorded, rules_as_sql
from lambdas.adapters.database_swap import swap_databases
from lambdas.adapters.postgres_programs import load
from lambdas.adapters.throwaway_database import require_what_it_needs
from lambdas.domain.database_errors import DatabaseMissing, DatabaseNotProved, DatabaseRequestFailed, TargetLacks
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_mark import Mark
from lambdas.domain.database_properties import recorded_rules
from lambdas.domain.swap import Swap
from tests.adapters.database_house import RESTORED, SMALL, Taken, forget_roles, login_to, made, prove, restored, taken
from tests.adapters.swap_world import rules
from tests.servers.postgres import PostgresServers

OWNER, APP, REPORTER = "Database owner", 'The "App"', "reporter's"
APP_QUOTED = '"The ""App"""'
ROLES = (OWNER, APP, REPORTER)
PROPERTIES = (
    f'alter database smtpy owner to "{OWNER}"',
    "alter database smtpy connection limit 7",
    "revoke all on database smtpy from public",
    f"grant connect, create on database smtpy to {APP_QUOTED} with grant option",
    f'grant temporary on database smtpy to "{REPORTER}"',
    f'revoke temporary on database smtpy from "{OWNER}"',
    "alter database smtpy set timezone = 'Europe/Paris'",
    """alter database smtpy set search_path = "$user", 'a "b", c', public""",
    r"alter database smtpy set app.secret = E'hunter2, \'or\' \\ so\n'",
    f"alter role {APP_QUOTED} in database smtpy set statement_timeout = 5000",
    f"alter role {APP_QUOTED} in database smtpy set default_transaction_read_only = on",
)


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> Iterator[PostgresServer]:
    server = postgres_servers.shared(request.param)
    forget_roles(server, ROLES)
    for role in ROLES:
        server.create_role(role)
    yield server
    forget_roles(server, ROLES)


@pytest.fixture(scope="module")
def dump(server: PostgresServer) -> Taken:
    """A dump of a database that has a bit of everything outside of it."""
    return taken(made(server, SMALL, *PROPERTIES))


# --- there again ------------------------------------------------------------------------------------------


def test_a_database_that_is_lost_has_its_owner_rights_limit_and_settings_again(
    server: PostgresServer, dump: Taken
) -> None:
    made(server, SMALL, *PROPERTIES)
    before = rules(server, "smtpy")
    assert before[0] == OWNER
    target = restored(dump, server)
    prove(target, dump)
    mark(target, RESTORED, Mark("op-1", dump.manifest.backup_id, verified=True))
    server.drop_database("smtpy")
    swap_databases(target, Swap("op-1", "smtpy", RESTORED, "smtpy_corrupt_20261122_030000"))
    assert rules(server, "smtpy") == before
    assert server.query("show app.secret", "smtpy") == [("hunter2, 'or' \\ so\n",)]
    assert server.query("show search_path", "smtpy") == [('"$user", "a ""b"", c", public',)]


def test_a_person_gives_them_to_a_new_database_by_psql(server: PostgresServer, dump: Taken) -> None:
    made(server, *PROPERTIES)
    before = rules(server, "smtpy")
    made(server)
    properties = dump.dump.contents.properties
    assert properties is not UNSET
    statements = rules_as_sql("smtpy", recorded_rules(properties, dump.settings)).encode()
    load(login_to(server, "postgres"), int(server.major), [statements], 20)
    assert rules(server, "smtpy") == before


def test_a_live_database_has_the_last_word_on_what_goes_over(server: PostgresServer, dump: Taken) -> None:
    made(server, SMALL, "alter database smtpy set work_mem = '3MB'", "alter database smtpy connection limit 3")
    before = rules(server, "smtpy")
    target = restored(dump, server)
    mark(target, RESTORED, Mark("op-1", dump.manifest.backup_id, verified=True))
    swap_databases(target, Swap("op-1", "smtpy", RESTORED, "smtpy_corrupt_20261122_030000"))
    assert rules(server, "smtpy") == before
    server.drop_database("smtpy_corrupt_20261122_030000")


def test_a_limit_that_kept_everybody_out_is_not_set_again(server: PostgresServer) -> None:
    closed = taken(made(server, SMALL, "alter database smtpy connection limit 0"))
    assert closed.dump.contents.properties is not UNSET
    assert closed.dump.contents.properties.connection_limit == 0
    prove(restored(closed, server), closed)
    assert rules(server, RESTORED)[1] == -1


def test_what_only_was_tried_is_taken_back(server: PostgresServer, dump: Taken) -> None:
    login = made(server, name=RESTORED)
    before = rules(server, RESTORED)
    give_recorded(login, dump.manifest, dump.settings, trial=True)
    assert rules(server, RESTORED) == before


def test_what_the_server_refuses_leaves_all_as_it_was(server: PostgresServer, dump: Taken) -> None:
    login = made(server, name=RESTORED)
    before = rules(server, RESTORED)
    nonsense = dump.settings.replace(b"Europe/Paris", b"Europe/Atlantis")
    with pytest.raises(DatabaseRequestFailed, match="22023, InvalidParameterValue") as told:
        give_recorded(login, dump.manifest, nonsense)
    assert "Atlantis" not in str(told.value)
    assert rules(server, RESTORED) == before


def test_a_setting_that_the_manifest_does_not_name_is_not_given(server: PostgresServer, dump: Taken) -> None:
    login = made(server, name=RESTORED)
    more = [*json.loads(dump.settings), {"role": None, "name": "work_mem", "value": "9MB"}]
    give_recorded(login, dump.manifest, json.dumps(more).encode())
    assert "work_mem" not in str(rules(server, RESTORED))


def test_a_database_that_is_not_there_is_given_nothing(server: PostgresServer, dump: Taken) -> None:
    with pytest.raises(DatabaseMissing, match="nowhere"):
        give_recorded(login_to(server, "nowhere"), dump.manifest, dump.settings)


# --- what the manifest says -------------------------------------------------------------------------------


def test_no_value_of_a_setting_stands_in_the_clear(dump: Taken) -> None:
    properties = dump.dump.contents.properties
    assert properties is not UNSET
    assert [(each.role, each.name) for each in properties.settings] == [
        (None, "TimeZone"),
        (None, "search_path"),
        (None, "app.secret"),
        (APP, "statement_timeout"),
        (APP, "default_transaction_read_only"),
    ]
    sealed = properties.values.message.encode()
    for private in (b"hunter2", b"Paris", b"5000"):
        assert private in dump.settings
        assert private not in dump.manifest.encode().replace(sealed, b"")


def test_a_server_that_lacks_their_roles_is_told_so_beforehand(server: PostgresServer, dump: Taken) -> None:
    assert dump.dump.contents.roles == sorted([*ROLES, "postgres"])
    server.query(f'alter role "{REPORTER}" rename to gone')
    try:
        with pytest.raises(TargetLacks, match=f"lacks roles that .* needs: {REPORTER}"):
            require_what_it_needs(login_to(server, RESTORED), dump.manifest)
    finally:
        server.query(f'alter role gone rename to "{REPORTER}"')


def test_a_manifest_of_an_earlier_version_has_the_bytes_that_it_signed_and_changes_nothing(
    server: PostgresServer, dump: Taken
) -> None:
    contents = msgspec.structs.replace(dump.dump.contents, properties=UNSET)
    earlier = msgspec.structs.replace(dump.manifest, contents=contents)
    assert b'"properties"' not in earlier.encode()
    assert msgspec.json.decode(earlier.encode(), type=DatabaseManifest) == earlier
    login = made(server, name=RESTORED)
    before = rules(server, RESTORED)
    give_recorded(login, earlier, None)
    assert rules(server, RESTORED) == before


# --- what is not as recorded ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (f'owner to "{REPORTER}"', f"its owner is {REPORTER}, and {OWNER} was recorded"),
        ("connection limit 8", "its connection limit is 8, and 7 was recorded"),
        ("reset timezone", "its setting TimeZone is missing"),
        ("set work_mem = 1000", "its setting work_mem was not recorded"),
    ],
)
def test_another_owner_limit_or_setting_is_a_difference(
    server: PostgresServer, dump: Taken, changed: str, problem: str
) -> None:
    target = restored(dump, server)
    server.query(f"alter database {RESTORED} {changed}")
    with pytest.raises(DatabaseNotProved) as told:
        prove(target, dump)
    assert problem in str(told.value)


@pytest.mark.parametrize(
    ("statement", "whose"),
    [
        ("grant connect on database {} to public", "everybody"),
        (f'revoke temporary on database {{}} from "{REPORTER}"', REPORTER),
        (f"revoke grant option for connect on database {{}} from {APP_QUOTED}", APP),
    ],
)
def test_another_right_is_a_difference(server: PostgresServer, dump: Taken, statement: str, whose: str) -> None:
    target = restored(dump, server)
    server.query(statement.format(RESTORED))
    with pytest.raises(DatabaseNotProved) as told:
        prove(target, dump)
    assert f"the rights on it of {whose} are not those recorded." in str(told.value)
