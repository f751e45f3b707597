"""`dump_database`: the whole database, encrypted, is stored; or nothing is."""

import base64
import hashlib
from collections.abc import Callable, Iterator

import msgspec
import pytest

from lambdas.adapters.backup_store import Upload
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.postgres_programs import ProgramOutput
from lambdas.domain.database_errors import (
    DatabaseNotInEstate,
    DatabaseVersionDiffers,
    DumpDamaged,
)
from lambdas.domain.database_manifest import DatabaseContents
from lambdas.domain.dump import gunzipped
from lambdas.domain.errors import KeyUnusable, StorageRefused
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.proof import CiphertextDamaged
from tests.actions.database_house import DUMP, KEY, NIGHT, Databases, Event, change_database
from tests.actions.house import House, bucket_name
from tests.servers.aws import PRIMARY, refused

CONTEXT = {"purpose": "backup", "backup_id": DUMP, "kind": "database", "date": "2026-11-22"}


def _dump(house: House, scenario: str = "database_backup", seconds: float | None = None, **more: object) -> Event:
    operation = house.operation(scenario, started_at=NIGHT)
    dumped: Event = house.run("dump_database", {"operation": operation} | more, seconds=seconds)
    return dumped


def _sql(house: House, key: str = KEY, context: dict[str, str] = CONTEXT) -> bytes:
    opened = Envelope(house.keys.arn("backup")).open([house.objects()[key]], context)
    return b"".join(gunzipped(opened))


def _contents(house: House, dumped: Event) -> DatabaseContents:
    kept = house.objects("work")[dumped["contents"]]
    return msgspec.json.decode(kept, type=DatabaseContents)


def _roles(house: House, dumped: Event) -> str:
    """The roles, as whoever may open the backup reads them."""
    sealed = _contents(house, dumped).globals
    opened = Envelope(house.keys.arn("backup")).open([base64.b64decode(sealed.message)], sealed.context)
    return b"".join(opened).decode()


def test_a_dump_is_stored_encrypted_and_described_in_every_respect(house: House, database: Databases) -> None:
    before = database.contents()
    dumped = _dump(house)
    objects = house.objects()
    assert list(objects) == [KEY]
    plain = b"".join(Envelope(house.keys.arn("backup")).open([objects[KEY]], CONTEXT))
    assert b"COPY public.messages " in _sql(house)
    assert (dumped["backup_id"], dumped["series"]) == (DUMP, "daily")
    assert dumped["started_at"] == "2026-11-22T03:00:00+00:00"
    stored = dumped["stored"]
    assert (stored["bucket"], stored["key"]) == (bucket_name("backups", PRIMARY), KEY)
    assert (stored["plaintext_size"], stored["plaintext_sha256"]) == (len(plain), hashlib.sha256(plain).hexdigest())
    assert stored["ciphertext_size"] == len(objects[KEY])
    assert stored["ciphertext_sha256"] == hashlib.sha256(objects[KEY]).hexdigest()
    source = dumped["source"]
    assert (source["database"], source["major"], source["encoding"]) == ("smtpy", 17, "UTF8")
    assert dumped["encryption"]["context"] == CONTEXT
    assert dumped["encryption"]["key_id"] == house.keys.arn("backup")
    found = {table.name: table.rows for table in _contents(house, dumped).tables}
    assert found == {name: rows for name, (rows, _) in before.items()}
    assert (dumped["tables"], dumped["rows"]) == (len(before), sum(rows for rows, _ in before.values()))
    assert database.contents() == before


def test_no_row_is_readable_in_what_is_stored(house: House, database: Databases) -> None:
    _dump(house)
    stored = b"".join([*house.objects().values(), *house.objects("work").values()])
    assert any(value.encode() in _sql(house) for value in database.private)
    assert not [value for value in house.secrets if value.encode() in stored]


def test_a_dump_opens_as_the_backup_it_is_and_as_no_other(house: House, database: Databases) -> None:
    _dump(house)
    other = CONTEXT | {"backup_id": "smtpy_20261121_030000.sql.gz", "date": "2026-11-21"}
    with pytest.raises(CiphertextDamaged):
        _sql(house, context=other)


def test_running_it_twice_leaves_two_versions_of_one_object(house: House, database: Databases) -> None:
    found = [_dump(house) for _ in range(2)]
    assert found[0]["backup_id"] == found[1]["backup_id"]
    assert found[0]["stored"]["version_id"] != found[1]["stored"]["version_id"]
    assert house.versions() == [KEY, KEY]


@pytest.mark.parametrize("wanted", [False, True])
def test_the_roles_are_sealed_with_it_and_their_passwords_only_if_wanted(
    wanted: bool, house: House, database: Databases
) -> None:
    change_database(house, role_passwords=wanted)
    roles = _roles(house, _dump(house))
    assert "CREATE ROLE smtpy;" in roles
    assert ("SCRAM-SHA-256" in roles) is wanted


def test_what_is_saved_before_a_restore_is_a_series_of_its_own_without_what_cannot_be_read(
    house: House, database: Databases
) -> None:
    dumped = _dump(house, "database_corruption", series="pre-restore", unreadable=["public.messages"])
    saved = "smtpy-pre-restore_20261122_030000.sql.gz"
    key = f"database/pre-restore/2026-11-22/{saved}.enc"
    assert (dumped["backup_id"], dumped["series"], list(house.objects())) == (saved, "pre-restore", [key])
    assert _contents(house, dumped).left_out == ["public.messages"]
    sql = _sql(house, key, CONTEXT | {"backup_id": saved})
    assert b"CREATE TABLE public.messages " in sql
    assert b"COPY public.messages " not in sql
    assert b"COPY public.events " in sql


# --- dumps that fail --------------------------------------------------------------------------------------


def test_a_server_of_another_major_version_is_not_dumped(house: House, database: Databases) -> None:
    change_database(house, major=16)
    with pytest.raises(DatabaseVersionDiffers, match="is of the major version 17, and the estate says 16"):
        _dump(house)
    assert house.versions() == []


def test_an_estate_without_a_database_has_none_to_dump(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _dump(house)


def _changed(change: Callable[[bytes], bytes]) -> Callable[[ProgramOutput], Iterator[bytes]]:
    """What pg_dump writes, changed on its way."""
    original = ProgramOutput.__iter__

    def changed(output: ProgramOutput) -> Iterator[bytes]:
        yield change(b"".join(original(output)))

    return changed


@pytest.mark.parametrize("change", [lambda sql: sql[: len(sql) // 2], lambda sql: sql[:-1], lambda sql: sql[:0]])
def test_a_stream_that_pg_dump_has_not_ended_leaves_nothing_in_the_store(
    change: Callable[[bytes], bytes], house: House, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ProgramOutput, "__iter__", _changed(change))
        with pytest.raises(DumpDamaged, match="dump-damaged"):
            _dump(house)
    assert house.versions() == []
    _dump(house)
    assert house.versions() == [KEY]


def test_a_dump_that_is_not_done_in_time_leaves_nothing_in_the_store(house: House, database: Databases) -> None:
    with database.live.connect("smtpy") as session, session.transaction():
        session.execute("lock table messages in access exclusive mode")
        with pytest.raises(MailarkError):
            _dump(house, seconds=32)
    assert house.versions() == []
    _dump(house)
    assert house.versions() == [KEY]


def test_a_server_that_stops_meanwhile_leaves_nothing_in_the_store(
    house: House, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Upload.write

    def end_sessions(upload: Upload, piece: bytes) -> None:
        write(upload, piece)
        database.live.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mailark'")

    with monkeypatch.context() as patch:
        patch.setattr(Upload, "write", end_sessions)
        with pytest.raises(MailarkError) as failure:
            _dump(house)
    assert failure.value.code in ("database-unreachable", "dump-failed")
    assert house.versions() == []


def test_a_key_that_kms_refuses_leaves_nothing_in_the_store(house: House, database: Databases) -> None:
    with refused("GenerateDataKey", "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        _dump(house)
    assert house.versions() == []


def test_a_store_that_refuses_is_named_and_left_empty(house: House, database: Databases) -> None:
    with (
        refused(lambda request: "partNumber=1" in request.url, "AccessDenied", 403),
        pytest.raises(StorageRefused, match="storage-refused: S3 refused UploadPart"),
    ):
        _dump(house)
    assert house.versions() == []
