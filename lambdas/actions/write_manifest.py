"""Write the signed manifest beside a stored backup, and its row in the catalog at the level `stored`."""

from dataclasses import dataclass

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signed_manifest import put_signed
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.backup import MANIFEST_FORMAT, Bytes, Encryption, Maker, Series, StoredObject, WrappedKey
from lambdas.domain.operation import Operation
from lambdas.domain.vault_manifest import Contents, Source, VaultManifest


@dataclass(frozen=True)
class WriteManifest:
    """What the actions before it measured; `contents` is where `ReadVaultInventory` left its result."""

    operation: Operation
    backup_id: str
    series: Series
    started_at: str
    finished_at: str
    source: Source
    encryption: Encryption
    stored: StoredObject
    keys: list[WrappedKey]
    contents: str


@dataclass(frozen=True)
class ManifestWritten:
    backup_id: str
    backup_date: str


@action(WriteManifest)
def handler(request: WriteManifest, run: Run) -> ManifestWritten:
    settings = run.settings
    contents = WorkStore(settings.region, settings["WORK_BUCKET"]).get(request.contents, Contents)
    stored = request.stored
    unsigned = VaultManifest(
        format=MANIFEST_FORMAT,
        backup_id=request.backup_id,
        kind="vault",
        series=request.series,
        key=stored.key,
        started_at=request.started_at,
        finished_at=request.finished_at,
        source=request.source,
        plaintext=Bytes(stored.plaintext_size, stored.plaintext_sha256),
        ciphertext=Bytes(stored.ciphertext_size, stored.ciphertext_sha256),
        encryption=request.encryption,
        keys=request.keys,
        made_by=Maker(request.operation.id, request.operation.execution, settings.region),
        contents=contents,
    )
    row = put_signed(settings, unsigned, stored)
    return ManifestWritten(row.id, row.date)
