"""A house of two regions in which one action at a time runs, as Lambda runs it: with what it was granted, no more."""

import base64
import dataclasses
import importlib
import io
import json
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec
from aws_cdk import Aws

from infra.names import KEYS, SIGNING_KEYS, Names
from infra.permissions import ACTIONS
from infra.uses import Region
from lambdas.adapters.audit_trail import AuditTrail
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.estate_parameter import PARAMETER
from lambdas.adapters.lambda_handler import logger
from lambdas.adapters.leases import Leases
from lambdas.adapters.operations import Operations
from lambdas.adapters.sealed_keys import MASTER_KEY, SealedKeys, seal_key_name
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.audit import Event, faults
from lambdas.domain.backup import CatalogRow, manifest_key
from lambdas.domain.estate import Estate, Heartbeat, Vault, parse_estate
from lambdas.domain.estate_credentials import Credentials
from lambdas.domain.estate_database import Database
from lambdas.domain.operation import Operation, machine_name
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.vault_manifest import VaultManifest
from tests.domain.builders import ESTATE
from tests.servers.aws import ACCOUNT, PRIMARY, STANDBY, aws, make_key, replica
from tests.servers.tables import make_tables

PAYLOAD_LIMIT = 256 * 1024
"""Step Functions quotas: input or output of a state."""

OTHER = {PRIMARY: STANDBY, STANDBY: PRIMARY}
STARTED = "2026-11-22T02:00:00.123+00:00"


@dataclass(frozen=True)
class Keys:
    """The KMS keys, made once, with what is sealed under them; `arns` are those of the primary region.

    And the operator's offline pair.
    """

    arns: Mapping[str, str]
    offline_public: str
    offline_private: str
    sealed: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def make(offline_public: str, offline_private: str) -> "Keys":
        specs = {key: "ECC_NIST_P256" if key in SIGNING_KEYS else "SYMMETRIC_DEFAULT" for key in KEYS}
        return Keys({key: make_key(spec=spec) for key, spec in specs.items()}, offline_public, offline_private)

    def arn(self, key: str, region: str = PRIMARY) -> str:
        return self.arns[key] if region == PRIMARY else replica(self.arns[key])


class _Context:
    """What Lambda tells a function about itself, as far as it is used."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(self._seconds * 1000)


@dataclass
class House:
    """Tables, buckets, estate and sealed keys in both regions; `secrets` must never be seen outside of Vault."""

    keys: Keys
    vault: Vault
    master_key: bytes
    seal_key: bytes
    heartbeat: Heartbeat | None = None
    database: Database | None = None
    credentials: Credentials | None = None
    secrets: set[str] = field(default_factory=set)
    log: str = ""

    def __post_init__(self) -> None:
        self.secrets |= {form for key in (self.master_key, self.seal_key) for form in _forms(key)}
        for region in OTHER:
            make_tables(region)
            for topic in ("operations", "security"):
                aws("sns", region).create_topic(Name=f"mailark-{topic}")
            s3, ssm = aws("s3", region), aws("ssm", region)
            for bucket in ("backups", "audit", "work"):
                s3.create_bucket(
                    Bucket=bucket_name(bucket, region),
                    CreateBucketConfiguration={"LocationConstraint": region},
                    ObjectLockEnabledForBucket=bucket != "work",
                )
            self.put_estate(region=region)
            for name, ciphertext in self._sealed().items():
                ssm.put_parameter(Name=f"/mailark/sealed-keys/{name}", Value=ciphertext, Type="String")

    def _sealed(self) -> dict[str, str]:
        """The sealed keys, as they are stored in both regions."""
        wanted = {MASTER_KEY: ("escrow", self.master_key), seal_key_name("k1"): ("seal", self.seal_key)}
        for name, (key, plain) in wanted.items():
            if name not in self.keys.sealed:
                sealed = SealedKeys(PRIMARY, self.keys.arn(key)).seal(name, plain)
                self.keys.sealed[name] = base64.b64encode(sealed).decode()
        return self.keys.sealed

    # --- the estate ---------------------------------------------------------------------------------------

    def put_estate(self, vault: Vault | None = None, region: str = PRIMARY, text: str | None = None) -> None:
        """Deploy an estate with another Vault, or with any text."""
        aws("ssm", region).put_parameter(
            Name=PARAMETER,
            Value=text if text is not None else self.estate_text(vault or self.vault),
            Type="String",
            Tier="Advanced",
            Overwrite=True,
        )

    def estate_text(self, vault: Vault) -> str:
        own = {
            "vault": vault,
            "offline_public_key": self.keys.offline_public,
            "heartbeat": self.heartbeat,
            "database": self.database,
            "credentials": self.credentials,
        }
        estate = msgspec.structs.replace(parse_estate(ESTATE), **own)
        return json.dumps(_without_blanks(msgspec.to_builtins(estate)))

    @property
    def estate(self) -> Estate:
        return parse_estate(self.estate_text(self.vault))

    # --- running an action --------------------------------------------------------------------------------

    def run(self, action: str, event: Mapping[str, object], region: str = PRIMARY, seconds: float | None = None) -> Any:
        """Run an action as Lambda does: a JSON text in, a JSON text out, its own settings and nobody else's.

        No secret may be in what it returns, raises or logs.
        """
        handler = importlib.import_module(f"lambdas.actions.{action}").handler
        given = json.loads(msgspec.json.encode(event))
        context = _Context(ACTIONS[action].seconds if seconds is None else seconds)
        with self._settings(action, region), self._logged():
            try:
                result = json.dumps(handler(given, context))
            except Exception as error:
                self._check(f"{error} {error!r} {''.join(traceback.format_exception(error))}")
                raise
            finally:
                self._check(self.log)
        self._check(result)
        assert len(result) < PAYLOAD_LIMIT
        return json.loads(result)

    @contextmanager
    def _settings(self, action: str, region: str) -> Iterator[None]:
        """Exactly the environment that `infra` gives this function, besides the credentials."""
        environment = environment_of(action, region, self.keys) | {"MAILARK_ESTATE_NAME": self.estate.name}
        with patch.dict("os.environ"):
            for name in [name for name in os.environ if name.startswith("MAILARK_")]:
                del os.environ[name]
            os.environ.update(environment)
            yield

    @contextmanager
    def _logged(self) -> Iterator[None]:
        handler, written = logger.registered_handler, io.StringIO()
        assert isinstance(handler, logging.StreamHandler)
        before = handler.setStream(written)
        try:
            yield
        finally:
            handler.setStream(before)
            self.log = written.getvalue()

    def _check(self, text: str) -> None:
        assert not [secret for secret in self.secrets if secret in text], "a secret has left the function"

    # --- looking around -----------------------------------------------------------------------------------

    def operation(
        self,
        scenario: str,
        name: str = "op-1",
        started_at: str = STARTED,
        region: str = PRIMARY,
        target: str | None = None,
    ) -> Operation:
        """An operation that has begun: it holds the lease on its target, or on another one that is given."""
        execution = execution_arn(scenario, name)
        return Operation(
            id=name,
            scenario=scenario,
            execution=execution,
            mode=SCENARIOS[scenario].mode,
            started_at=started_at,
            lease=self.leases(region).take(target or SCENARIOS[scenario].target, execution, lambda _: True),
            reason="a test",
            user_id="jo",
            incident_id="INC-7",
        )

    def take_over(self, operation: Operation) -> None:
        """Let another operation take over the target, as if the first one had died."""
        self.leases().take(operation.lease.target, execution_arn(operation.scenario, "another"), lambda _: False)

    def leases(self, region: str = PRIMARY) -> Leases:
        return Leases(region, "mailark-leases")

    def catalog(self, region: str = PRIMARY) -> Catalog:
        return Catalog(region, "mailark-catalog")

    def operations(self, region: str = PRIMARY) -> Operations:
        return Operations(region, "mailark-operations")

    def store(self, region: str = PRIMARY) -> BackupStore:
        return BackupStore(region, bucket_name("backups", region))

    def work(self) -> WorkStore:
        return WorkStore(PRIMARY, bucket_name("work", PRIMARY))

    def events(self, region: str = PRIMARY, scope: str = "platform#vault") -> list[Event]:
        """The events of one of the platform's chains, which is sound."""
        trail = AuditTrail(region, "mailark-audit-events", "mailark-audit-heads")
        links = list(trail.chain(scope))
        assert faults(links, trail.head(scope)) == []
        return [link.event for link in links]

    def objects(self, bucket: str = "backups", region: str = PRIMARY) -> dict[str, bytes]:
        """Every object that is visible, by its key."""
        s3, name = aws("s3", region), bucket_name(bucket, region)
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=name).get("Contents", [])]
        return {key: s3.get_object(Bucket=name, Key=key)["Body"].read() for key in keys}

    def versions(self, region: str = PRIMARY) -> list[str]:
        """The keys of all versions of all backups and manifests, and of all uploads that were left behind."""
        s3, name = aws("s3", region), bucket_name("backups", region)
        found = s3.list_object_versions(Bucket=name).get("Versions", [])
        return sorted(each["Key"] for each in [*found, *s3.list_multipart_uploads(Bucket=name).get("Uploads", [])])


def environment_of(action: str, region: str, keys: Keys) -> dict[str, str]:
    """The settings of a function, from the table of permissions; what the tokens of the CDK stand for put in."""
    ids = {key: arn.rpartition("/")[2] for key, arn in keys.arns.items()}
    granted = Region(Names(region, ids), Names(OTHER[region], ids))
    found = {"AWS_REGION": region, "POWERTOOLS_LOG_LEVEL": "INFO"}
    for use in ACTIONS[action].uses:
        for name, value in use.environment(granted).items():
            found[f"MAILARK_{name}"] = value.replace(Aws.ACCOUNT_ID, ACCOUNT).replace(Aws.PARTITION, "aws")
    return found


def bucket_name(bucket: str, region: str) -> str:
    return f"mailark-{bucket}-{ACCOUNT}-{region}"


def execution_arn(scenario: str, name: str = "op-1", region: str = PRIMARY) -> str:
    return f"arn:aws:states:{region}:{ACCOUNT}:execution:{machine_name(scenario)}:{name}"


def start_execution(scenario: str, name: str = "op-1", given: Mapping[str, object] | None = None) -> str:
    """Start an execution, with an input, that runs until it is stopped; its ARN."""
    states = aws("stepfunctions")
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    machine = states.create_state_machine(
        name=machine_name(scenario), definition=definition, roleArn=f"arn:aws:iam::{ACCOUNT}:role/x"
    )
    started = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], name=name, input=json.dumps(given or {})
    )
    return str(started["executionArn"])


def _without_blanks(value: Any) -> Any:
    """What a person leaves out of an estate is not there."""
    if not isinstance(value, dict):
        return value
    return {name: _without_blanks(each) for name, each in value.items() if each not in (None, "")}


def _forms(key: bytes) -> set[str]:
    """How a key may look in a text."""
    return {key.hex(), base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode().rstrip("="), repr(key)}


# --- backups ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SavedBackup:
    """A backup of the Vault of these tests, made once by the actions themselves, to be put into any house."""

    row: CatalogRow
    content: bytes
    manifest: bytes

    @property
    def id(self) -> str:
        return self.row.id

    def put(
        self, house: House, region: str = PRIMARY, content: bytes | None = None, manifest: bytes | None = None
    ) -> CatalogRow:
        """Store it, or other bytes in its place, and its row at the level it had."""
        s3, bucket = aws("s3", region), bucket_name("backups", region)
        body = self.content if content is None else content
        version = s3.put_object(Bucket=bucket, Key=self.row.key, Body=body)["VersionId"]
        beside = self.manifest if manifest is None else manifest
        written = s3.put_object(Bucket=bucket, Key=manifest_key(self.row.key), Body=beside)["VersionId"]
        row = dataclasses.replace(self.row, version_id=version, manifest_version=written)
        house.catalog(region).put(row)
        return row

    def read(self) -> VaultManifest:
        return msgspec.json.decode(self.manifest, type=VaultManifest)


def _nothing() -> None:
    pass


def make_backup(
    house: House,
    scenario: str = "vault_backup",
    started_at: str = STARTED,
    before_snapshot: Callable[[], None] = _nothing,
    after_snapshot: Callable[[], None] = _nothing,
) -> SavedBackup:
    """Run the actions of a backup, one after another, and what else happens while it is taken."""
    operation = house.operation(scenario, f"make-{started_at[:10]}", started_at)
    backup = house.run("plant_canary", {"operation": operation})
    marks = house.run("list_vault_secrets", {"operation": operation})["marks"]
    before_snapshot()
    taken = house.run("take_vault_snapshot", {"operation": operation, "started_at": backup["started_at"]})
    after_snapshot()
    named = {"operation": operation, "backup_id": taken["backup_id"]}
    read = house.run("read_vault_inventory", named | {"series": taken["series"], "marks": marks})
    wrapped = house.run("wrap_keys", named | {"source": taken["source"]})
    house.run("write_manifest", taken | {"operation": operation, "keys": wrapped["keys"], "contents": read["contents"]})
    house.run("verify_backup", named)
    house.leases().release(operation.lease.target, operation.execution)
    row = house.catalog().get(taken["backup_id"])
    objects = house.objects()
    return SavedBackup(row, objects[row.key], objects[manifest_key(row.key)])


def days_later(days: int) -> str:
    """The start of the nightly backup so many days after the first one."""
    return (datetime(2026, 11, 22, 2, tzinfo=UTC) + timedelta(days=days)).isoformat()
