"""The database of an estate is read strictly: a mistake is refused with the key, and what was expected there."""

import copy
from typing import Any, get_args

import pytest
import yaml

from lambdas.domain.errors import EstateInvalid
from lambdas.domain.estate import Estate, parse_estate
from lambdas.domain.estate_database import Database, DatabaseCheck, DatabaseServer, LoginName, secret_in
from tests.domain.builders import DATABASE, ESTATE
from tests.domain.estates import HINT

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret"
STORE = {"endpoint": "https://s3.example.net", "region": "eu", "bucket": "our-dumps", "secret": f"{ARN}:store"}
KEYS = "name, major, server, staging, service_secret, services, checks, fresh, role_passwords, second_store"
A_HOST = "a host name or an address such as db.example.org, without a port"
A_NAME = "the name of a database such as smtpy: letters, digits and _, at most 38"


def _changed(*path: str, value: Any) -> str:
    """The estate with another value at a key of its database; None leaves the key out."""
    data = copy.deepcopy(yaml.safe_load(DATABASE))
    *above, last = path
    place = data["database"]
    for key in above:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return ESTATE + yaml.safe_dump(data)


def _read(text: str) -> Database:
    database = parse_estate(text).database
    assert database is not None
    return database


# --- what is right ----------------------------------------------------------------------------------------


def test_an_estate_protects_vault_and_a_database_where_it_has_one() -> None:
    assert parse_estate(ESTATE).kinds == ["vault"]
    assert parse_estate(ESTATE).database is None
    assert parse_estate(ESTATE + DATABASE).kinds == ["vault", "database"]


def test_a_database_is_read_and_what_is_left_out_is_as_it_is_mostly_wanted() -> None:
    database = _read(ESTATE + DATABASE)
    assert (database.name, database.major) == ("smtpy", 17)
    assert database.server == DatabaseServer("db.example.org", f"{ARN}:db-AbCdEf", 5432, "")
    assert database.staging.host == "db-staging.example.org"
    assert (database.checks, database.services, database.fresh, database.second_store) == ([], None, None, None)
    assert database.role_passwords is False


@pytest.mark.parametrize("major", [14, 15, 16, 17, 18])
def test_the_versions_that_have_client_programs_are_known(major: int) -> None:
    assert _read(_changed("major", value=major)).major == major


@pytest.mark.parametrize("host", ["db", "10.0.0.5", "db-1.internal.example.org"])
def test_a_server_is_a_name_or_an_address(host: str) -> None:
    assert _read(_changed("server", "host", value=host)).server.host == host


def test_checks_are_read_with_their_answers_as_text() -> None:
    check = {"name": "somebody", "sql": "select count(*) > 0 from users", "expect": "true"}
    assert _read(_changed("checks", value=[check])).checks == [DatabaseCheck(**check)]


def test_a_server_of_the_same_host_at_another_port_is_another_server() -> None:
    staging = {"host": "db.example.org", "port": 5433, "secret": f"{ARN}:staging"}
    assert _read(_changed("staging", value=staging)).staging.port == 5433


def test_a_login_is_that_of_the_server_whose_name_it_has_and_of_no_other() -> None:
    fresh = {"host": "fresh.example.org", "secret": f"{ARN}:fresh"}
    database = _read(_changed("fresh", value=fresh))
    secrets = {"live": "db-AbCdEf", "staging": "db-staging-AbCdEf", "fresh": "fresh", "service": "service-AbCdEf"}
    assert {name: database.secrets([name]) for name in get_args(LoginName)} == {
        name: [f"{ARN}:{secret}"] for name, secret in secrets.items()
    }
    assert database.secrets(["fresh", "live"]) == [f"{ARN}:db-AbCdEf", f"{ARN}:fresh"]
    assert database.secrets([]) == []


def test_a_server_that_the_estate_does_not_name_has_no_login() -> None:
    assert _read(ESTATE + DATABASE).secrets(["live", "fresh"]) == [f"{ARN}:db-AbCdEf"]


def test_one_secret_may_serve_two_servers() -> None:
    text = _changed("staging", "secret", value=f"{ARN}:db-AbCdEf")
    assert _read(text).secrets(["live", "staging"]) == [f"{ARN}:db-AbCdEf"]


def test_a_secret_is_stored_in_each_region_under_the_same_name() -> None:
    assert secret_in("eu-west-1", f"{ARN}:db-AbCdEf") == (
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
    )
    assert secret_in("eu-central-1", f"{ARN}:db-AbCdEf") == f"{ARN}:db-AbCdEf"


def test_a_second_store_is_read() -> None:
    store = _read(_changed("second_store", value=STORE)).second_store
    assert store is not None
    assert (store.endpoint, store.bucket, store.ca) == ("https://s3.example.net", "our-dumps", "")


# --- what is wrong ----------------------------------------------------------------------------------------

MISTAKES: dict[str, tuple[str, str]] = {
    "a text for the database": (ESTATE + "database: smtpy\n", "database: expected a group of keys, got 'smtpy'"),
    "a mistyped key": (
        _changed("stagin", value={}),
        "database.stagin: this key is not known (did you mean staging?)",
    ),
    "an unknown key": (_changed("colour", value="red"), f"database.colour: this key is not known (known here: {KEYS})"),
    "no name": (_changed("name", value=None), "database.name: this key is required and missing"),
    "a name with a hyphen": (_changed("name", value="smtp-y"), f"database.name: expected {A_NAME}, got 'smtp-y'"),
    "a name that begins with a digit": (_changed("name", value="1st"), f"database.name: expected {A_NAME}, got '1st'"),
    "a name with no room for what a recovery adds to it": (
        _changed("name", value="a" * 39),
        f"database.name: expected {A_NAME}, got '{'a' * 39}'",
    ),
    "a version before those that are known": (
        _changed("major", value=13),
        "database.major: expected a number of at least 14, got 13",
    ),
    "a version after them": (
        _changed("major", value=19),
        "database.major: expected a number of at most 18, got 19",
    ),
    "a version that is a text": (_changed("major", value="17"), "database.major: expected a whole number, got '17'"),
    "no staging server": (_changed("staging", value=None), "database.staging: this key is required and missing"),
    "a staging server that is the live one": (
        _changed("staging", "host", value="DB.example.org"),
        "database.staging: expected another server than database.server",
    ),
    "a fresh server that is the live one": (
        _changed("fresh", value={"host": "db.example.org", "secret": f"{ARN}:fresh"}),
        "database.fresh: expected another server than database.server",
    ),
    "a host with its port": (
        _changed("server", "host", value="db.example.org:5432"),
        f"database.server.host: expected {A_HOST}, got 'db.example.org:5432'",
    ),
    "a host that is a URL": (
        _changed("staging", "host", value="postgres://db"),
        f"database.staging.host: expected {A_HOST}, got 'postgres://db'",
    ),
    "a port that is none": (
        _changed("server", "port", value=65536),
        "database.server.port: expected a number of at most 65535, got 65536",
    ),
    "a server without a secret": (
        _changed("server", "secret", value=None),
        "database.server.secret: this key is required and missing",
    ),
    "a secret that is not an ARN": (
        _changed("service_secret", value="smtpy-service"),
        "database.service_secret: expected an ARN, got 'smtpy-service'",
    ),
    "a password for a secret": (
        _changed("server", "password", value="untold"),
        "database.server.password: this key is not known (known here: host, secret, port, ca)",
    ),
    "a CA that is not PEM": (
        _changed("server", "ca", value="ca.crt"),
        "database.server.ca: expected one or more certificates in PEM",
    ),
    "a staging CA that is not PEM": (
        _changed("staging", "ca", value="ca.crt"),
        "database.staging.ca: expected one or more certificates in PEM",
    ),
    "a check without an answer": (
        _changed("checks", value=[{"name": "users", "sql": "select 1"}]),
        "database.checks[0].expect: this key is required and missing",
    ),
    "an answer that is a number": (
        _changed("checks", value=[{"name": "users", "sql": "select 1", "expect": 1}]),
        "database.checks[0].expect: expected text, got 1; put it in quotes",
    ),
    "a check that asks nothing": (
        _changed("checks", value=[{"name": "users", "sql": "", "expect": "1"}]),
        "database.checks[0].sql: expected at least 1 character, got none",
    ),
    "a second store without TLS": (
        _changed("second_store", value=STORE | {"endpoint": "http://s3.example.net"}),
        "database.second_store.endpoint: expected an address without a path such as https://vault.example.org:8200, "
        "got 'http://s3.example.net'",
    ),
    "a bucket in capitals": (
        _changed("second_store", value=STORE | {"bucket": "Dumps"}),
        "database.second_store.bucket: expected the name of a bucket, got 'Dumps'",
    ),
    "a second store with a CA that is not PEM": (
        _changed("second_store", value=STORE | {"ca": "ca.crt"}),
        "database.second_store.ca: expected one or more certificates in PEM",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_place_and_what_was_expected(mistake: str) -> None:
    text, problem = MISTAKES[mistake]
    with pytest.raises(EstateInvalid) as caught:
        parse_estate(text, "estate.yaml")
    assert str(caught.value) == f"estate-invalid: estate.yaml, {problem}.\n{HINT}"


def test_no_password_that_was_written_down_by_mistake_is_shown() -> None:
    text, _ = MISTAKES["a password for a secret"]
    with pytest.raises(EstateInvalid) as caught:
        parse_estate(text)
    assert "untold" not in str(caught.value)


def test_the_services_of_a_database_are_read_as_strictly() -> None:
    services = {"control": "ssm", "names": ["api"], "health": ["https://api.example.org/health"]}
    with pytest.raises(EstateInvalid, match=r"database\.services\.instance_id: this key is required with ssm"):
        parse_estate(_changed("services", value=services))
    assert isinstance(parse_estate(_changed("services", value=services | {"instance_id": "i-01234567"})), Estate)
