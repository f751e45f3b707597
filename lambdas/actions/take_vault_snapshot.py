"""Take a raft snapshot from the leader: verified, encrypted and stored while it streams, in constant memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_target import vault_target
from lambdas.domain.backup import BackupName, Encryption, Series, StoredObject
from lambdas.domain.operation import Operation
from lambdas.domain.proof import Measured
from lambdas.domain.snapshot import SnapshotFacts, SnapshotVerifier
from lambdas.domain.vault_duties import Duty
from lambdas.domain.vault_manifest import Source


@dataclass(frozen=True)
class TakeVaultSnapshot:
    """`started_at` is the backup's time; left out, it is the operation's."""

    operation: Operation
    series: Series = "daily"
    started_at: str | None = None


@dataclass(frozen=True)
class SnapshotTaken:
    backup_id: str
    series: Series
    started_at: str
    finished_at: str
    source: Source
    encryption: Encryption
    stored: StoredObject


@action(TakeVaultSnapshot)
def handler(request: TakeVaultSnapshot, run: Run) -> SnapshotTaken:
    target = vault_target(run.settings.region, request.operation)
    estate, vault, leader = target.estate, target.vault, target.leader
    started = datetime.fromisoformat(request.started_at or request.operation.started_at).replace(microsecond=0)
    name = BackupName("vault", request.series, started)
    client = VaultClient(leader.address, vault, Duty("backup"), SigningKey(run.settings["VAULT_BACKUP_KEY"]))
    envelope = Envelope(run.settings["BACKUP_KEY"], estate.offline_public_key)
    store = BackupStore(run.settings.region, run.settings["BACKUP_BUCKET"])

    plain, encrypted, verifier = Measured(), Measured(), SnapshotVerifier()

    def verified(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in plain.through(pieces):
            verifier.update(piece)
            yield piece

    with store.upload(name.key) as upload:
        for piece in encrypted.through(envelope.seal(verified(client.snapshot()), name.encryption_context)):
            upload.write(piece)
        facts: SnapshotFacts = verifier.finish()
        uploaded = upload.complete()

    return SnapshotTaken(
        backup_id=name.id,
        series=request.series,
        started_at=started.isoformat(),
        finished_at=run.now().isoformat(timespec="seconds"),
        source=Source(
            product_version=leader.version,
            cluster_id=leader.cluster_id,
            cluster_name=leader.cluster_name,
            seal_type=leader.seal_type,
            seal_key_id=vault.seal.key_id,
            raft_index=facts.index,
            raft_term=facts.term,
        ),
        encryption=envelope.description(name.encryption_context),
        stored=StoredObject(
            bucket=store.bucket,
            key=name.key,
            version_id=uploaded.version_id,
            plaintext_size=plain.size,
            plaintext_sha256=plain.sha256,
            ciphertext_size=encrypted.size,
            ciphertext_sha256=encrypted.sha256,
        ),
    )
