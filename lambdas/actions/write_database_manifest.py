"""Write the signed manifest beside a stored dump, and its row in the catalog at the level `stored`."""

from dataclasses import dataclass

from msgspec import UNSET

from lambdas.adapters.database_target import database_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signed_manifest import put_signed
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.backup import MANIFEST_FORMAT, Bytes, Encryption, Maker, Series, StoredObject
from lambdas.domain.database_manifest import DatabaseContents, DatabaseManifest, DatabaseSource
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class WriteDatabaseManifest:
    """What `DumpDatabase` measured; `contents` is where it left what the tables held.

    With `accept_loss` a person has said that what is missing in it is meant to be gone.
    """

    operation: Operation
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
    dump_seconds: float = 0.0
    accept_loss: bool = False


@dataclass(frozen=True)
class DatabaseManifestWritten:
    backup_id: str
    backup_date: str


@action(WriteDatabaseManifest)
def handler(request: WriteDatabaseManifest, run: Run) -> DatabaseManifestWritten:
    settings, stored = run.settings, request.stored
    contents = WorkStore(settings.region, settings["WORK_BUCKET"]).get(request.contents, DatabaseContents)
    unsigned = DatabaseManifest(
        format=MANIFEST_FORMAT,
        backup_id=request.backup_id,
        kind="database",
        series=request.series,
        key=stored.key,
        started_at=request.started_at,
        finished_at=request.finished_at,
        source=request.source,
        plaintext=Bytes(stored.plaintext_size, stored.plaintext_sha256),
        ciphertext=Bytes(stored.ciphertext_size, stored.ciphertext_sha256),
        encryption=request.encryption,
        made_by=Maker(request.operation.id, request.operation.execution, settings.region),
        contents=contents,
        dump_seconds=request.dump_seconds,
        loss_accepted=True if request.accept_loss else UNSET,
    )
    is_due = request.series == "daily" and database_of(read_estate(settings.region)).second_store is not None
    row = put_signed(settings, unsigned, stored, second_copy="pending" if is_due else "none")
    return DatabaseManifestWritten(row.id, row.date)
