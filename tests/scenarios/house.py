"""The eyes of the scenario tests: executions, alerts, leases, the catalog, and what lives in Vault."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import requests

from lab.forwarding_service import DATABASE
from lab.lab import Lab
from lab.services import NAMES
from lab.watching import Finished, executions, follow, start, wait_for_new
from lambdas.adapters.audit_trail import AuditTrail, timestamp
from lambdas.adapters.database_facts import fix_settings, table_facts
from lambdas.adapters.supervisord import Supervisord
from lambdas.adapters.tables import from_item
from lambdas.domain.ages import TEST_EVENTS
from lambdas.domain.audit import GENESIS, Event, Link, faults
from lambdas.domain.backup import BackupName, CatalogRow, manifest_key
from lambdas.domain.mailark_error import Failure
from lambdas.domain.operation import execution_name, machine_name
from lambdas.domain.vault_manifest import VaultManifest

PAYLOAD_LIMIT = 256 * 1024
"""Step Functions quotas: 256 KiB of input or output for a state, which the emulator does not hold."""

CANARY = "test-tenant-id/admin"


@dataclass(frozen=True)
class Alert:
    subject: str
    body: str


@dataclass
class House:
    """One lab, and the eyes on it."""

    lab: Lab
    measured: list[str]
    _queues: dict[str, str] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    # --- running scenarios --------------------------------------------------------------------------------

    def start(self, scenario: str, given: object, region: str | None = None) -> str:
        region = region or self.lab.primary
        return start(self.lab.client("stepfunctions", region), scenario, region, given)

    def follow(self, arn: str, seconds: float = 300) -> Finished:
        """Follow an execution to its end; its payloads are held to the limit that AWS has."""
        region = arn.split(":")[3]
        states = self.lab.client("stepfunctions", region)
        finished = follow(states, arn, seconds=seconds)
        for event in self.history(arn):
            for details in event.values():
                if isinstance(details, dict):
                    for part in ("input", "output"):
                        assert len(str(details.get(part, ""))) < PAYLOAD_LIMIT
        if finished.output and "steps" in finished.output:
            self.measured.append(_timeline(arn, finished.output))
        return finished

    def run(self, scenario: str, given: object, region: str | None = None) -> Finished:
        """Start a scenario and follow it to its end."""
        return self.follow(self.start(scenario, given, region))

    def run_well(self, scenario: str, given: object, region: str | None = None) -> Finished:
        """Run a scenario that is to succeed."""
        finished = self.run(scenario, given, region)
        assert finished.status == "SUCCEEDED", finished.cause
        return finished

    def let_schedule_come(self, scenario: str, region: str | None = None) -> str:
        """Let a schedule's time come; the execution that it starts."""
        region = region or self.lab.primary
        with self.starting(scenario, region) as started:
            self.lab.aws.let_schedule_come(region, machine_name(scenario))
        return started[0]

    @contextmanager
    def starting(self, scenario: str, region: str | None = None) -> Iterator[list[str]]:
        """A block in which something starts a scenario; at its end, the execution that was started."""
        region, started = region or self.lab.primary, list[str]()
        states = self.lab.client("stepfunctions", region)
        known = executions(states, scenario, region)
        yield started
        started.append(wait_for_new(states, scenario, region, known))

    def history(self, arn: str) -> list[dict[str, Any]]:
        """Every event of an execution."""
        states = self.lab.client("stepfunctions", arn.split(":")[3])
        found: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            page = states.get_execution_history(executionArn=arn, maxResults=1000, **more)
            found += page["events"]
            if not page.get("nextToken"):
                return found
            more = {"nextToken": page["nextToken"]}

    def states_entered(self, arn: str) -> list[str]:
        details = (event.get("stateEnteredEventDetails") for event in self.history(arn))
        return [each["name"] for each in details if each]

    def wait_for_state(self, arn: str, state: str, seconds: float = 60) -> None:
        """Wait until an execution has entered a state."""
        _until(lambda: state in self.states_entered(arn), f"{state} to be entered", seconds)

    def wait_until(self, condition: Any, what: str, seconds: float = 60) -> None:
        """Wait for a condition, with a limit."""
        _until(condition, what, seconds)

    # --- what a failure leaves ----------------------------------------------------------------------------

    def alert_of(self, arn: str, seconds: float = 30, saying: str = "") -> Alert:
        """The alert about an execution, which must come; the one that says this, where more than one may."""
        name = execution_name(arn)

        def about() -> Alert | None:
            self._receive()
            return next((alert for alert in self.alerts if name in alert.body and saying in alert.body), None)

        _until(lambda: about() is not None, f"an alert about {name}", seconds)
        found = about()
        assert found is not None
        return found

    def alerts_about(self, arn: str) -> list[Alert]:
        return [alert for alert in self.every_alert() if execution_name(arn) in alert.body]

    def every_alert(self) -> list[Alert]:
        """Every alert that has come since the house stands, to anybody."""
        self._receive()
        return list(self.alerts)

    def tell_of_restore_test(self, ended: datetime, kind: str = "vault") -> None:
        """Let the audit trail say that a fresh backup was restored as a test, which ended well at that time."""
        of = "smtpy" if kind == "database" else ""
        details = {"backup_id": BackupName(kind, "daily", ended - timedelta(hours=2), of).id}
        name = f"{kind}-restore-test-{ended:%Y%m%dT%H%M%S}"
        event = Event(name, TEST_EVENTS[kind], "system", timestamp(ended), "info", details)
        with self.lab.as_root():
            trail = AuditTrail(self.lab.primary, "mailark-audit-events", "mailark-audit-heads")
            trail.append(f"platform#{kind}", event)

    def _receive(self) -> None:
        for region, url in self._queues.items():
            sqs = self.lab.client("sqs", region)
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                for message in messages:
                    body = json.loads(message["Body"])
                    self.alerts.append(Alert(body["Subject"], body["Message"]))
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def listen(self) -> None:
        """Put a queue on every topic, beside the people."""
        for region in (self.lab.primary, self.lab.standby):
            sqs, sns = self.lab.client("sqs", region), self.lab.client("sns", region)
            url = sqs.create_queue(QueueName="alerts-for-the-tests")["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
            policy = {"Version": "2012-10-17", "Statement": [allowed | {"Resource": arn}]}
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
            for topic in sns.list_topics()["Topics"]:
                sns.subscribe(TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=arn)
            self._queues[region] = url

    def lease_is_free(self, target: str, region: str | None = None) -> bool:
        """Whether nobody holds the lease, and no function is at work under it."""
        dynamo = self.lab.client("dynamodb", region)
        answer = dynamo.get_item(TableName="mailark-leases", Key={"target": {"S": target}}, ConsistentRead=True)
        if "Item" not in answer:
            return True
        lease = from_item(answer["Item"])
        return not lease["held"] and datetime.fromisoformat(lease["busy_until"]) <= datetime.now(UTC)

    def operation(self, arn: str) -> dict[str, Any]:
        dynamo = self.lab.client("dynamodb", arn.split(":")[3])
        key = {"id": {"S": execution_name(arn)}}
        return from_item(dynamo.get_item(TableName="mailark-operations", Key=key, ConsistentRead=True)["Item"])

    # --- what is kept -------------------------------------------------------------------------------------

    def items(self, table: str, region: str | None = None) -> list[dict[str, Any]]:
        dynamo = self.lab.client("dynamodb", region)
        pages = dynamo.get_paginator("scan").paginate(TableName=f"mailark-{table}", ConsistentRead=True)
        return [from_item(item) for page in pages for item in page["Items"]]

    def catalog(self, region: str | None = None) -> dict[str, CatalogRow]:
        rows = [CatalogRow(**item) for item in self.items("catalog", region)]
        return {row.id: row for row in sorted(rows, key=lambda row: row.started_at)}

    def bucket(self, region: str | None = None, bucket: str = "backups") -> str:
        return f"mailark-{bucket}-000000000000-{region or self.lab.primary}"

    def manifest(self, row: CatalogRow, region: str | None = None) -> VaultManifest:
        s3 = self.lab.client("s3", region)
        raw = s3.get_object(Bucket=self.bucket(region), Key=manifest_key(row.key))["Body"].read()
        return msgspec.json.decode(raw, type=VaultManifest)

    def object_bytes(self, row: CatalogRow, region: str | None = None) -> bytes:
        s3 = self.lab.client("s3", region)
        answer = s3.get_object(Bucket=self.bucket(region), Key=row.key, VersionId=row.version_id)
        return bytes(answer["Body"].read())

    def open_uploads(self) -> list[str]:
        """Multipart uploads that were begun and neither completed nor aborted, in both regions."""
        found: list[str] = []
        for region in (self.lab.primary, self.lab.standby):
            answer = self.lab.client("s3", region).list_multipart_uploads(Bucket=self.bucket(region))
            found += [upload["Key"] for upload in answer.get("Uploads", [])]
        return found

    def audit_events(self, arn: str) -> list[str]:
        """The events of an operation in the audit trail, in order."""
        region = arn.split(":")[3]
        mine = [e for e in self.items("audit-events", region) if e.get("operation_id") == execution_name(arn)]
        return [event["event"] for event in sorted(mine, key=lambda event: event["sequence"])]

    def audit_faults(self, scope: str, region: str | None = None) -> list[str]:
        """What is wrong with a chain of the audit trail: nothing, one hopes."""
        rows = [item for item in self.items("audit-events", region) if item["scope"] == scope]
        links = [_link(item) for item in sorted(rows, key=lambda item: item["sequence"])]
        heads = {item["scope"]: item for item in self.items("audit-heads", region)}
        head = (heads[scope]["sequence"], heads[scope]["hash"]) if scope in heads else (0, GENESIS)
        return faults(links, head)

    # --- what lives ---------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """A checksum of every credential in the live Vault, the canary apart."""
        client = self.lab.vault_client()
        kv = client.secrets.kv.v2
        digest = hashlib.sha256()
        for folder in sorted(kv.list_secrets("", mount_point="smtp")["data"]["keys"]):
            path = f"{folder}admin"
            if path != CANARY:
                answer = kv.read_secret_version(path, mount_point="smtp", raise_on_deleted_version=False)
                digest.update(json.dumps([path, answer["data"]], sort_keys=True).encode())
        return digest.hexdigest()

    def database_fingerprint(self) -> dict[str, tuple[int, str]]:
        """Rows and checksum of every table of the live database."""
        with self.lab.database.server.connect(DATABASE) as connection:
            fix_settings(connection)
            return {table.title: (table.rows, table.checksum) for table in table_facts(connection)}

    def services(self) -> dict[str, str]:
        """How supervisord says that the services stand."""
        return self._control().states(NAMES)

    def start_services(self) -> None:
        """What a person does when a recovery has left the services stopped, and wait until they work."""
        self._control().start(NAMES)
        _until(self.healthy, "healthy services", 30)

    def _control(self) -> Supervisord:
        services = self.lab.database.services
        return Supervisord(services.address, services.username, services.password, self.lab.authority.pem)

    def healthy(self) -> bool:
        """Whether the services say that they work, through their own role."""
        try:
            return all(
                requests.get(url, timeout=5).status_code == 200 for url in self.lab.database.services.health_urls
            )
        except requests.ConnectionError:
            return False


@contextmanager
def broken(house: House, action: str, region: str | None = None) -> Iterator[None]:
    """A deployment went wrong: the function of an action cannot start."""
    with _handled_by("lambdas.actions.not_there.handler", house, action, region):
        yield


@contextmanager
def idle(house: House, *actions: str) -> Iterator[None]:
    """Let the functions of these actions do nothing in the primary region, as if it were gone with them."""
    with ExitStack() as stack:
        for action in actions:
            stack.enter_context(_handled_by("operator.is_", house, action, None))
        yield


@contextmanager
def _handled_by(handler: str, house: House, action: str, region: str | None) -> Iterator[None]:
    functions = house.lab.client("lambda", region)
    name = f"mailark-{action.replace('_', '-')}"
    functions.update_function_configuration(FunctionName=name, Handler=handler)
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=f"lambdas.actions.{action}.handler")


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Let a process stand still while the block runs: whoever asks it something waits."""
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)


def _timeline(arn: str, outcome: dict[str, Any]) -> str:
    """The timeline of a run, in one line: what took how long, and what was promised."""
    steps = ", ".join(f"{step['state']} {step['seconds']:.1f}" for step in outcome["steps"])
    promises = "".join(
        f"; {name.upper()} {outcome[name]['measured']:.0f} s of {outcome[name]['objective']} s"
        for name in ("rto", "rpo")
        if outcome[name]
    )
    _, _, _, region, _, _, machine, _ = arn.split(":")
    return f"{machine} in {region}: {outcome['seconds']:.1f} s ({steps}){promises}"


def _until(condition: Any, what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)


def backup_of(house: House, finished: Finished) -> str:
    """The id of the backup that an operation made."""
    operation = execution_name(finished.arn)
    return next(row.id for row in house.catalog().values() if row.operation_id == operation)


def failure(finished: Finished) -> Failure:
    """What an execution that failed says: its code, sentence and hint."""
    assert finished.status == "FAILED", finished.output
    found = Failure.parse(finished.cause)
    assert found is not None, finished.cause
    return found


def _link(item: dict[str, Any]) -> Link:
    names = ("tenant_id", "operation_id", "ip_address", "user_agent")
    event = Event(
        id=item["id"],
        event=item["event"],
        user_id=item["user_id"],
        timestamp=item["timestamp"],
        severity=item["severity"],
        details=json.loads(item["details"]),
        **{name: item.get(name) for name in names},
    )
    return Link(item["scope"], item["sequence"], item["previous"], event, item["hash"])
