"""A house in which whole executions run, each function in a process of its own, and what must hold in it at the end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

from moto.backends import get_backend
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from infra.permissions import ACTIONS
from infra.scenario import definition
from lab.processes import LOOPBACK, free_port
from lambdas.adapters.lambda_handler import Run
from lambdas.adapters.tables import all_items, to_item
from lambdas.domain.backup import CatalogRow
from lambdas.domain.lease import LeaseRow
from lambdas.domain.operation import Lease, Operation, execution_name
from lambdas.domain.orphans import SETTLED
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.tenant import TENANT
from tests.actions.house import OTHER, House, bucket_name, environment_of, start_execution
from tests.crash.calls import Call, Kill
from tests.crash.databases import CrashDatabase
from tests.crash.functions import IDENTITY, FunctionFailed, Functions
from tests.crash.machine import Ended, Interpreter
from tests.crash.tenants import CrashTenant
from tests.infra.asl import Machine, State
from tests.servers.aws import ACCOUNT, PRIMARY, aws, lock_of
from tests.servers.vault import VaultServer

FUNCTION_SECONDS = 90.0
"""No function of these tests may run longer, so that what a dead one leaves behind settles within some retries.

`verify_services` keeps 60 of them for what comes after the services are well.
"""

REPORT = "ReportFailedExecution"
"""What the rule of failures runs after an execution that ended red, as if it were a state. Lambda runs it up to three
times (Lambda guide, "Asynchronous invocation")."""
_REPORT_ATTEMPTS = 3


_FOUND = "database_assessed"
"""The event that a recovery of the database writes on its way."""


@contextmanager
def served_aws() -> Iterator[str]:
    """The mocked AWS of this process for other processes: its endpoint. One request at a time, as it is not atomic."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it tells of every request
    port, one_at_a_time = free_port(), RLock()
    server = ThreadedMotoServer(LOOPBACK, port, verbose=False)
    server.start()
    running: Any = server._server
    app = running.app

    def atomically(environ: Any, start_response: Any) -> list[bytes]:
        with one_at_a_time:
            query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
            if environ["REQUEST_METHOD"] == "GET" and "retention" in query:
                bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
                status, headers, body = lock_of(bucket, key, query["versionId"][0])
                start_response(f"{status} it is told", [*headers.items(), ("Content-Length", str(len(body)))])
                return [body]
            return list(app(environ, start_response))

    running.app = atomically
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.stop()


@dataclass
class Execution:
    """One execution that has come to its end."""

    scenario: str
    arn: str
    ended: Ended
    died: frozenset[str]
    """The states in which a function died."""

    @property
    def id(self) -> str:
        return execution_name(self.arn)


@dataclass
class World:
    """A house, its Vault, and the executions that ran in it, one after another and a minute apart."""

    house: House
    server: VaultServer
    staging: VaultServer
    functions: Functions
    first_at: datetime
    database: CrashDatabase
    tenant: CrashTenant
    executions: list[Execution] = field(default_factory=list)
    backups_before: set[str] = field(default_factory=set)

    def start(self, scenario: str, given: object, *kills: Kill) -> Execution:
        """Run an execution to its end, and the report of it if that is red; functions die where `kills` says."""
        number = len(self.executions) + 1
        arn = start_execution(scenario, f"{scenario}-{number}")
        deaths = {kill.call.state: kill for kill in kills}
        invoke = self._invoke(deaths)
        started_at = (self.first_at + timedelta(minutes=number)).isoformat(timespec="milliseconds")
        interpreter = Interpreter(Machine.read(definition(scenario)), invoke, self.let_pass)
        before = len(self.functions.died)
        ended = interpreter.run({"Id": arn, "StartTime": started_at, "Input": given})
        _end(arn, ended)
        died = frozenset(kill.call.state for kill in self.functions.died[before:])
        execution = Execution(scenario, arn, ended, died)
        self.executions.append(execution)
        if ended.status == "FAILED":
            self._report(execution, deaths.get(REPORT))
        return execution

    def _invoke(self, deaths: dict[str, Kill]) -> Any:
        def invoke(state: State, payload: Any) -> Any:
            return self.run(state.name, state.action, payload, deaths.get(state.name))

        return invoke

    def _report(self, execution: Execution, kill: Kill | None) -> None:
        for attempt in range(_REPORT_ATTEMPTS):
            try:
                self.run(REPORT, "report_failed_execution", {"execution": execution.arn}, kill)
                return
            except FunctionFailed:
                kill = None
                if attempt == _REPORT_ATTEMPTS - 1:
                    raise

    def run(self, state: str, action: str, payload: Any, kill: Kill | None) -> Any:
        """Run one action with its own settings and time limit. Raises `FunctionFailed`."""
        environment = environment_of(action, PRIMARY, self.house.keys) | IDENTITY
        environment |= {"MAILARK_ESTATE_NAME": self.house.estate.name}
        seconds = min(float(ACTIONS[action].seconds), FUNCTION_SECONDS)
        return self.functions.run(state, action, payload, environment, seconds, kill)

    def let_pass(self, seconds: float) -> None:
        """Let time pass for what waits for a time: the leases. Nobody sleeps."""
        for row in self.leases():
            earlier = (row.busy_until - timedelta(seconds=seconds)).astimezone(UTC).isoformat(timespec="microseconds")
            aws("dynamodb").update_item(
                TableName="mailark-leases",
                Key=to_item({"target": row.target}),
                UpdateExpression="SET busy_until = :earlier",
                ExpressionAttributeValues=to_item({":earlier": earlier}),
            )

    # --- looking around -----------------------------------------------------------------------------------

    def leases(self) -> list[LeaseRow]:
        found = []
        for item in all_items(aws("dynamodb").scan, TableName="mailark-leases"):
            times = {name: datetime.fromisoformat(item[name]) for name in ("busy_until", "since")}
            found.append(LeaseRow(**item | times))
        return found

    def operations(self) -> list[dict[str, Any]]:
        """The rows of operations, without the claims of schedules."""
        rows = all_items(aws("dynamodb").scan, TableName="mailark-operations")
        return [row for row in rows if not row["id"].startswith("schedule#")]

    def new_backups(self, region: str, series: str, proof: str) -> list[CatalogRow]:
        """The backups of a series and a level that were not there before the first execution."""
        rows = self.house.catalog(region).rows()
        return [row for row in rows if (row.series, row.proof) == (series, proof) and row.id not in self.backups_before]

    def take_calls(self) -> list[Call]:
        """The calls of the functions that came to an end, since this was asked last."""
        calls, self.functions.calls = self.functions.calls, []
        return calls

    # --- what must hold -----------------------------------------------------------------------------------

    def assert_sound(self) -> None:
        """Whatever died on the way: when a scenario has ended well, all of this holds."""
        assert self.executions[-1].ended.status == "SUCCEEDED", self.executions[-1].ended
        assert [row for row in self.leases() if row.held] == []
        self._assert_recorded()
        self._assert_no_backup_is_lost()
        self._assert_retention_leaves_no_orphan()

    def _assert_recorded(self) -> None:
        """Every operation has ended, and the audit trail tells each of its deeds once, and as its row does."""
        rows = {row["id"]: row for row in self.operations()}
        told: dict[str, list[str]] = {}
        tenants = {row["target"] for row in rows.values() if row["target"].startswith(TENANT)}
        scopes = sorted({scenario.scope for scenario in SCENARIOS.values()} | tenants)
        for event in (event for scope in scopes for event in self.house.events(scope=scope)):
            told.setdefault(str(event.operation_id), []).append(event.event)
        assert set(told) <= {*rows, *(f"make-{row.date}" for row in self.house.catalog().rows())}
        for execution in self.executions:
            output = execution.ended.output
            if isinstance(output, dict) and (first := output.get("duplicate_of")):
                assert rows[first]["status"] == "succeeded"
                continue
            row, scenario = rows[execution.id], SCENARIOS[execution.scenario]
            end = {"succeeded": scenario.completed, "failed": scenario.failed}[row["status"]]
            assert row["outcome"] != "{}"
            between = [_FOUND] if _FOUND in told[execution.id] else []
            assert told[execution.id] in (["operation_started", *between, end], [*between, end]), execution.ended
            assert between or (execution.scenario, row["status"]) != ("database_corruption", "succeeded")
            # What never began (its first function died before it had recorded anything) has no start to tell.
            assert told[execution.id][0] == "operation_started" or row["reason"] == "it never began", execution.ended
            if execution.ended.status == "SUCCEEDED":
                assert row["status"] == "succeeded"

    def _assert_no_backup_is_lost(self) -> None:
        """Every backup in a catalog is whole; those that were there are still there."""
        for region in OTHER:
            rows = self.house.catalog(region).rows()
            assert self.backups_before <= {row.id for row in rows}
            for row in rows:
                operation = {"operation": _someone(row), "backup_id": row.id}
                self.house.run("verify_backup", operation, region)

    def _assert_retention_leaves_no_orphan(self) -> None:
        """What died half-way is cleared away, or made a backup that the catalog knows, by a night two days later."""
        night = datetime.now(UTC) + SETTLED + timedelta(hours=1)
        for kind in sorted({"vault"} | {row.kind for region in OTHER for row in self.house.catalog(region).rows()}):
            operation = self.house.operation(f"{kind}_backup", "two-days-later")
            with patch.object(Run, "now", staticmethod(lambda: night)):
                for copies in (False, True):
                    self.house.run("apply_retention", {"operation": operation, "kind": kind, "copies": copies})
            self.house.leases().release(operation.lease.target, operation.execution)
        assert orphans(self.house) == []
        self._assert_no_backup_is_lost()


@dataclass(frozen=True)
class Orphan:
    """A version or an upload in the backups' bucket that no row of that region's catalog names."""

    region: str
    key: str
    id: str

    @property
    def name(self) -> str:
        """The id of the backup that it was meant to be part of."""
        return self.key.rpartition("/")[2].removesuffix(".enc").removesuffix(".manifest.json")


def orphans(house: House) -> list[Orphan]:
    """All that died half-way and lies in the buckets: what the rule of retention must find and clear away.

    A version of a backup's own key that its row does not name is one too, and so is a manifest that a newer one hides.
    """
    found = []
    for region in OTHER:
        s3, bucket = aws("s3", region), bucket_name("backups", region)
        rows = house.catalog(region).rows()
        named = {version for row in rows for version in row.versions}
        there = (
            (each["Key"], each["VersionId"]) for each in s3.list_object_versions(Bucket=bucket).get("Versions", [])
        )
        found += [Orphan(region, *version) for version in there if version not in named]
        uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        found += [Orphan(region, each["Key"], each["UploadId"]) for each in uploads]
    return found


def _end(arn: str, ended: Ended) -> None:
    """Let Step Functions say how an execution ended."""
    execution = get_backend("stepfunctions")[ACCOUNT][PRIMARY].describe_execution(arn)
    execution.status, execution.error, execution.cause = ended.status, ended.error, ended.cause
    execution.stop_date = datetime.now(UTC)


def _someone(row: CatalogRow) -> Any:
    """An operation that looks at a backup."""
    return Operation(
        row.operation_id, "vault_backup", "a-test", "recover", row.started_at, Lease("none", 0), "a test", "jo"
    )
