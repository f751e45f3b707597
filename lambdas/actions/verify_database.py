"""Prove a restored database: every row, its own dump, and what the estate asks of it."""

import time
from dataclasses import dataclass

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.database_marks import mark, mark_of
from lambdas.adapters.database_proof import prove_restored, run_checks
from lambdas.adapters.database_target import Place, database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.proof_record import record_proof, record_rate, record_refuted
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import ProofLevel
from lambdas.domain.database_errors import BackupRefuted, DatabaseNotProved
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_mark import Mark
from lambdas.domain.database_time import rate_of, refuse_too_long, seconds_of_proof, usual_rate
from lambdas.domain.manifest import of_kind
from lambdas.domain.operation import Operation
from lambdas.domain.throwaway import Purpose, throwaway_name

_MARGIN_SECONDS = 30


@dataclass(frozen=True)
class VerifyDatabase:
    operation: Operation
    backup_id: str
    purpose: Purpose
    place: Place = "live"


@dataclass(frozen=True)
class DatabaseVerified:
    """`started_at` is the time whose data it holds; `checks` is how many the estate asks. `same_bytes`: whether its own
    dump equals the first one byte for byte, and not only but for the words that PostgreSQL writes expressions in.

    `proof` is the level in the catalog: `stored` where the backup was not good, and so is not good now.
    """

    backup_id: str
    started_at: str
    tables: int
    rows: int
    checks: int
    same_bytes: bool
    proof: ProofLevel


@action(VerifyDatabase)
def handler(request: VerifyDatabase, run: Run) -> DatabaseVerified:
    settings = run.settings
    target = database_target(settings.region, request.operation, request.place)
    login = target.login.to(throwaway_name(request.purpose, target.database.name))
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row, store = catalog.get(request.backup_id), BackupStore(settings.region, settings["BACKUP_BUCKET"])
    signed = store.signed_manifest(row.id, row.key, SigningKey(settings["EVIDENCE_KEY"]), row.manifest_version)
    manifest = of_kind(signed, DatabaseManifest)
    sql_size = manifest.contents.sql.size
    elsewhere = request.operation.mode == "recover"
    seconds = seconds_of_proof(sql_size, usual_rate(catalog.rows(), "proof_rate"), elsewhere=elsewhere)
    refuse_too_long(f"A proof of {login.database}", seconds, sql_size)
    left = mark_of(login, login.database)
    of_this = left is not None and (left.operation, left.backup_id) == (request.operation.id, row.id)
    loaded, began = left.loaded if left and of_this else "", time.monotonic()
    try:
        same_bytes = prove_restored(login, manifest, loaded, run.seconds_left() - _MARGIN_SECONDS)
    except DatabaseNotProved as error:
        if request.operation.mode != "rehearse":  # its server may be the bad one: that is why it is a recovery
            raise
        record_refuted(catalog, store, row.id)  # or the next recovery would take it, and stop mail for nothing
        raise BackupRefuted(backup_id=row.id, problem=error.facts["problem"]) from None
    rate = rate_of(sql_size, time.monotonic() - began)
    checks = run_checks(login, target.database.checks)
    mark(login, login.database, Mark(request.operation.id, row.id, verified=True, loaded=loaded))
    proof = record_proof(catalog, store, request.operation, row.id, "proven").proof
    record_rate(catalog, store, row.id, "proof_rate", rate)
    contents = manifest.contents
    return DatabaseVerified(row.id, manifest.started_at, len(contents.tables), contents.rows, checks, same_bytes, proof)
