"""What outlives everything: keys, buckets and tables of one region. Retained, and protected from deletion."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.detection import WatchedLogs
from infra.keys import PurposeKey
from infra.names import KEYS, Names
from lambdas.adapters.audit_trail import BY_EVENT, BY_OPERATION, BY_PERSON
from lambdas.adapters.detection_windows import EXPIRES, KEY
from lambdas.adapters.suspicion_alarms import BY_KIND

_WORK_DAYS = 7
_AUDIT_DAYS = 7 * 365
"""Seven years, as 17 CFR 210.2-06 keeps records of audits; PCI DSS 4.0 (10.5.1) asks for one, HIPAA (45 CFR
164.316) for six."""
_ACCESS_LOG_DAYS = 400
_ABORT_DAYS = 1


class DataStack(Stack):
    """`primary` is the data stack that the keys of this one are replicas of; None for the primary itself."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        region: str,
        other_region: str,
        host_principals: Sequence[str],
        primary: "DataStack | None" = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=True, **kwargs)
        here, other = Names(region, {}), Names(other_region, {})
        self.keys: dict[str, PurposeKey] = {
            key: PurposeKey(
                self,
                key,
                here,
                other,
                primary_arn=primary.keys[key].arn if primary else None,
                host_principals=host_principals,
            )
            for key in KEYS
        }
        if primary is not None:
            self.add_stack_dependency(primary)
        access_logs = self._bucket(here, "access-logs", days=_ACCESS_LOG_DAYS)
        self._bucket(here, "backups", logs=access_logs, locked=True)
        self._bucket(here, "audit", logs=access_logs, locked=True, locked_days=_AUDIT_DAYS)
        self._bucket(here, "work", logs=access_logs, days=_WORK_DAYS)
        self.streams = self._tables(here)
        WatchedLogs(self)

    @property
    def key_ids(self) -> dict[str, str]:
        return {name: key.id for name, key in self.keys.items()}

    def _bucket(
        self,
        names: Names,
        bucket: str,
        *,
        logs: s3.Bucket | None = None,
        days: int | None = None,
        locked: bool = False,
        locked_days: int | None = None,
    ) -> s3.Bucket:
        """`locked_days` locks every object from the moment it is put; without it, who puts one decides."""
        rules = [s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(_ABORT_DAYS))]
        if days is not None:
            expiry = Duration.days(days)
            rules.append(s3.LifecycleRule(expiration=expiry, noncurrent_version_expiration=Duration.days(1)))
        return s3.Bucket(
            self,
            "".join(word.title() for word in bucket.split("-")),
            bucket_name=names.bucket(bucket),
            versioned=True,
            object_lock_enabled=locked or None,
            object_lock_default_retention=(
                s3.ObjectLockRetention.governance(Duration.days(locked_days)) if locked_days else None
            ),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            server_access_logs_bucket=logs,
            server_access_logs_prefix=f"{bucket}/" if logs else None,
            lifecycle_rules=rules,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _tables(self, names: Names) -> dict[str, str]:
        """All tables; the ARNs of the streams of what happens to audit events and to the escrow, by table."""
        text, number = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
        self._table(names, "operations", "id")
        self._table(names, "leases", "target")
        self._table(names, "catalog", "id")
        self._table(names, "approvals", "id")
        self._table(names, "notices", "operation", dynamodb.Attribute(name="recipient", type=text))
        both = dynamodb.StreamViewType.NEW_AND_OLD_IMAGES
        escrow = self._table(names, "escrow", "path", dynamodb.Attribute(name="item", type=text), both)
        self._table(names, "audit-heads", "scope")
        detection = self._table(names, "detection", KEY, forgets_at=EXPIRES)
        since = dynamodb.Attribute(name="since", type=text)
        kind = dynamodb.Attribute(name="kind", type=text)
        detection.add_global_secondary_index(index_name=BY_KIND, partition_key=kind, sort_key=since)
        sequence = dynamodb.Attribute(name="sequence", type=number)
        events = self._table(names, "audit-events", "scope", sequence, both)
        at = dynamodb.Attribute(name="timestamp", type=text)
        for index, key in ((BY_EVENT, "event"), (BY_OPERATION, "operation_id"), (BY_PERSON, "user_id")):
            partition = dynamodb.Attribute(name=key, type=text)
            events.add_global_secondary_index(index_name=index, partition_key=partition, sort_key=at)
        streams = {"audit-events": events.table_stream_arn, "escrow": escrow.table_stream_arn}
        return {table: str(arn) for table, arn in streams.items()}

    def _table(
        self,
        names: Names,
        table: str,
        key: str,
        sort_key: dynamodb.Attribute | None = None,
        stream: dynamodb.StreamViewType | None = None,
        forgets_at: str | None = None,
    ) -> dynamodb.Table:
        """`forgets_at` is the attribute with the time after which an item may go: never what anything counts on."""
        return dynamodb.Table(
            self,
            "".join(word.title() for word in table.split("-")),
            table_name=names.table(table),
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            sort_key=sort_key,
            stream=stream,
            time_to_live_attribute=forgets_at,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
