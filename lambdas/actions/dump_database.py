"""Dump the live database: compressed, encrypted and stored while it streams, and what it held under one snapshot."""

import time
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.database_dump import new_restrict_key, take_dump
from lambdas.adapters.database_target import database_target
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.postgres_programs import roles_of
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.backup import BackupName, Encryption, Series, StoredObject, WrappedKey, wrapping_context
from lambdas.domain.database_manifest import GLOBALS, DatabaseSource
from lambdas.domain.database_properties import SETTINGS, SETTINGS_PURPOSE
from lambdas.domain.operation import Operation

_ROLES_SECONDS = 60
_MARGIN_SECONDS = 30


@dataclass(frozen=True)
class DumpDatabase:
    """`unreadable` are tables (`schema.name`) whose rows cannot be read, and are left out of what is saved."""

    operation: Operation
    series: Series = "daily"
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DatabaseDumped:
    """`contents` is the key, in the work bucket, of what the manifest will say of the tables."""

    backup_id: str
    series: Series
    started_at: str
    finished_at: str
    source: DatabaseSource
    encryption: Encryption
    stored: StoredObject
    contents: str
    tables: int
    rows: int
    dump_seconds: float


@action(DumpDatabase)
def handler(request: DumpDatabase, run: Run) -> DatabaseDumped:
    settings = run.settings
    target = database_target(settings.region, request.operation)
    login, database = target.login, target.database
    started = datetime.fromisoformat(request.operation.started_at).replace(microsecond=0)
    name = BackupName("database", request.series, started, database.name)
    envelope = Envelope(settings["BACKUP_KEY"], target.estate.offline_public_key)
    store, key = BackupStore(settings.region, settings["BACKUP_BUCKET"]), new_restrict_key()
    roles = roles_of(login, database.major, key, passwords=database.role_passwords, seconds=_ROLES_SECONDS)
    context = wrapping_context("backup-key", GLOBALS, name.id)
    sealed = WrappedKey(GLOBALS, context, envelope.wrap(roles, context))
    for_settings = wrapping_context(SETTINGS_PURPOSE, SETTINGS, name.id)
    began = time.monotonic()
    with store.upload(name.key) as upload:
        dump = take_dump(
            login,
            key,
            sealed,
            lambda settings: WrappedKey(SETTINGS, for_settings, envelope.wrap(settings, for_settings)),
            lambda pieces: envelope.seal(pieces, name.encryption_context),
            upload.write,
            run.seconds_left() - _MARGIN_SECONDS,
            request.unreadable,
        )
        uploaded = upload.complete()
    took = time.monotonic() - began
    contents = WorkStore(settings.region, settings["WORK_BUCKET"]).put(request.operation.id, name.id, dump.contents)
    return DatabaseDumped(
        backup_id=name.id,
        series=request.series,
        started_at=started.isoformat(),
        finished_at=run.now().isoformat(timespec="seconds"),
        source=dump.source,
        encryption=envelope.description(name.encryption_context),
        stored=StoredObject(
            bucket=store.bucket,
            key=name.key,
            version_id=uploaded.version_id,
            plaintext_size=dump.plaintext.size,
            plaintext_sha256=dump.plaintext.sha256,
            ciphertext_size=dump.ciphertext.size,
            ciphertext_sha256=dump.ciphertext.sha256,
        ),
        contents=contents,
        tables=len(dump.contents.tables),
        rows=dump.contents.rows,
        dump_seconds=round(took, 1),
    )
