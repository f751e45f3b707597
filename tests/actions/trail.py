"""The audit trail of the house in the action tests: to append to, to tamper with, and to look into its bucket."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.adapters.audit_trail import AuditTrail, timestamp
from lambdas.adapters.tables import from_item, to_item
from lambdas.domain.audit import Event, Link
from tests.actions.house import House, bucket_name
from tests.servers.aws import PRIMARY, aws

VAULT, TENANT = "platform#vault", "tenant#1"
EVENTS, HEADS = "mailark-audit-events", "mailark-audit-heads"


@dataclass
class Trail:
    """The trail of the primary region. `run` runs an action as an operation of its own."""

    house: House
    table: AuditTrail = field(default_factory=lambda: AuditTrail(PRIMARY, EVENTS, HEADS))
    archive: AuditArchive = field(default_factory=lambda: AuditArchive(PRIMARY, bucket_name("audit", PRIMARY)))
    _runs: int = 0

    def append(self, scope: str, *names: str) -> None:
        for name in names:
            self.table.append(scope, event(name))

    def links(self, scope: str = VAULT) -> list[Link]:
        return list(self.table.chain(scope))

    def run(self, action: str) -> Any:
        self._runs += 1
        scenario = "audit_verification" if action == "verify_audit_trail" else "audit_signing"
        operation = self.house.operation(scenario, f"op-{self._runs}")
        try:
            return self.house.run(action, {"operation": operation})
        finally:
            self.house.leases().release(operation.lease.target, operation.execution)

    def item(self, sequence: int, scope: str = VAULT) -> dict[str, Any]:
        key = to_item({"scope": scope, "sequence": sequence})
        return from_item(aws("dynamodb").get_item(TableName=EVENTS, Key=key)["Item"])

    def put(self, item: dict[str, Any], table: str = EVENTS) -> None:
        """Write past Mailark, as somebody with full access can."""
        aws("dynamodb").put_item(TableName=table, Item=to_item(item))

    def remove(self, sequence: int, scope: str = VAULT) -> None:
        aws("dynamodb").delete_item(TableName=EVENTS, Key=to_item({"scope": scope, "sequence": sequence}))

    def delete(self, key: str) -> None:
        """Delete an object of the bucket, as a lock allows: a marker hides it, and its versions stay."""
        aws("s3").delete_object(Bucket=bucket_name("audit", PRIMARY), Key=key)

    def destroy(self, key: str) -> None:
        """Delete every version of an object, as a role that may bypass the lock can."""
        s3, bucket = aws("s3"), bucket_name("audit", PRIMARY)
        for each in s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]:
            s3.delete_object(Bucket=bucket, Key=key, VersionId=each["VersionId"], BypassGovernanceRetention=True)

    def put_object(self, key: str, body: bytes) -> None:
        aws("s3").put_object(Bucket=bucket_name("audit", PRIMARY), Key=key, Body=body)

    def objects(self) -> dict[str, bytes]:
        return self.house.objects("audit")

    def versions(self, key: str) -> list[bytes]:
        """Every version of an object, oldest first."""
        s3, bucket = aws("s3"), bucket_name("audit", PRIMARY)
        found = s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
        return [s3.get_object(Bucket=bucket, Key=key, VersionId=each["VersionId"])["Body"].read() for each in found][
            ::-1
        ]


def event(name: str, hours_ago: float = 0) -> Event:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return Event(f"id-{name}", name, "jo", timestamp(at), "info", {"name": name})
