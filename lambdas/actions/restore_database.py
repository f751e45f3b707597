"""Restore a dump into a database of its own, beside all others of a server: nobody uses it before it is proved."""

import time
from contextlib import suppress
from dataclasses import dataclass

from msgspec import UNSET

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.database_marks import mark
from lambdas.adapters.database_rules import give_recorded
from lambdas.adapters.database_target import Place, database_target
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.postgres_programs import load
from lambdas.adapters.proof_record import record_proof, record_rate
from lambdas.adapters.restorable import require_restorable, require_room
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.throwaway_database import drop_database, make_database
from lambdas.domain.backup import wrapping_context
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_mark import Mark
from lambdas.domain.database_properties import SETTINGS, SETTINGS_PURPOSE
from lambdas.domain.database_time import rate_of
from lambdas.domain.errors import BackupDamaged
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.manifest import of_kind
from lambdas.domain.operation import Operation
from lambdas.domain.proof import CiphertextDamaged, proved_sql
from lambdas.domain.sql_digest import SqlDigest
from lambdas.domain.throwaway import Purpose, throwaway_name

_MARGIN_SECONDS = 30


@dataclass(frozen=True)
class RestoreDatabase:
    operation: Operation
    backup_id: str
    purpose: Purpose
    place: Place = "live"


@dataclass(frozen=True)
class DatabaseRestored:
    """`database` is the name that it has on the server."""

    host: str
    database: str


@action(RestoreDatabase)
def handler(request: RestoreDatabase, run: Run) -> DatabaseRestored:
    settings = run.settings
    target = database_target(settings.region, request.operation, request.place)
    login = target.login.to(throwaway_name(request.purpose, target.database.name))
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row, store = catalog.get(request.backup_id), BackupStore(settings.region, settings["BACKUP_BUCKET"])
    signed = store.signed_manifest(row.id, row.key, SigningKey(settings["EVIDENCE_KEY"]), row.manifest_version)
    manifest, envelope = of_kind(signed, DatabaseManifest), Envelope(settings["BACKUP_KEY"])
    settings_inside = _settings_in(manifest, envelope)
    require_restorable(login, manifest, catalog, request.operation)
    require_room(login, manifest)
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        make_database(login, manifest.source)
        try:
            give_recorded(
                login, manifest, settings_inside, trial=True
            )  # what the server refuses is told before the load
            began = time.monotonic()
            sql = proved_sql(
                manifest, store.read(row), lambda pieces: envelope.open(pieces, manifest.encryption.context)
            )
            said = SqlDigest()
            load(login, manifest.source.major, said.through(sql), run.seconds_left() - _MARGIN_SECONDS)
            rate = rate_of(manifest.contents.sql.size, time.monotonic() - began)
            give_recorded(login, manifest, settings_inside)
            mark(login, login.database, Mark(request.operation.id, row.id, loaded=said.hexdigest()))
        except BaseException:
            with suppress(MailarkError):  # the first error is the one to tell
                drop_database(login)  # half of it helps nobody, and its rows are not to lie about
            raise
    record_proof(catalog, store, request.operation, row.id, "restorable")
    record_rate(catalog, store, row.id, "load_rate", rate)
    return DatabaseRestored(login.host, login.database)


def _settings_in(manifest: DatabaseManifest, envelope: Envelope) -> bytes | None:
    """The settings of the database that was dumped; None where its manifest does not know them."""
    if manifest.contents.properties is UNSET:
        return None
    context = wrapping_context(SETTINGS_PURPOSE, SETTINGS, manifest.backup_id)
    try:
        return envelope.unwrap(manifest.contents.properties.values.message, context)
    except CiphertextDamaged as damage:
        raise BackupDamaged(backup_id=manifest.backup_id, problem=str(damage)) from None
