"""What a deployed region answers when the status asks it."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.aws import brief_calls
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.inspection import Inspection
from lambdas.domain.alarms import backup_alarm, restore_test_alarm
from lambdas.domain.approval import Approval
from lambdas.domain.backup import CatalogRow, manifest_key
from lambdas.domain.status_facts import Alarm, RegionFacts, Unanswered
from tests.actions.house import start_execution
from tests.domain.builders import row_of
from tests.domain.test_approval import ASKED
from tests.servers.aws import ACCOUNT, PRIMARY, aws, forget, refused
from tests.servers.buckets import make_bucket, put
from tests.servers.tables import make_tables

pytestmark = pytest.mark.usefixtures("_clean", "_no_alarms")


@pytest.fixture
def _no_alarms() -> Iterator[None]:
    yield
    forget("cloudwatch")


def _facts(*kinds: str) -> RegionFacts:
    with brief_calls():
        return Inspection(PRIMARY, ACCOUNT, "aws", [], kinds).facts()


# --- the newest good backup in S3 -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kept:
    """A good backup: its bucket, and its row in the catalog."""

    store: BackupStore
    row: CatalogRow

    def stored(self) -> object:
        """What is wrong with it, as the status is told; with nothing of the other kind."""
        found = _facts("vault", "database").stored
        (other,) = found.keys() - {self.row.kind}
        assert found[other] == f"There is no good {other} backup that could lie in S3"
        return found[self.row.kind]

    def lose(self, key: str, version: str) -> None:
        """Delete a version for good, past its lock."""
        s3 = aws("s3")
        s3.delete_object(Bucket=self.store.bucket, Key=key, VersionId=version, BypassGovernanceRetention=True)

    def mark_deleted(self, key: str) -> None:
        """Put a deletion marker over all versions, as whoever deletes without naming one does."""
        aws("s3").delete_object(Bucket=self.store.bucket, Key=key)


@pytest.fixture(params=["vault", "database"])
def kept(request: pytest.FixtureRequest) -> _Kept:
    make_tables()
    return _keep(make_bucket(name=f"mailark-backups-{ACCOUNT}"), request.param)


def _keep(store: BackupStore, kind: str) -> _Kept:
    row = row_of(datetime.now(UTC) - timedelta(hours=1), kind)
    versions = {
        "version_id": put(store, row.key, b"sealed"),
        "manifest_version": put(store, manifest_key(row.key), b"{}"),
    }
    row = dataclasses.replace(row, size=len(b"sealed"), **versions)  # type: ignore[arg-type]  # both are text
    Catalog(PRIMARY, "mailark-catalog").put(row)
    return _Kept(store, row)


def test_a_backup_that_lies_where_its_row_says_is_in_order(kept: _Kept) -> None:
    assert kept.stored() == ""


def test_an_object_or_a_manifest_whose_version_is_gone_is_told(kept: _Kept) -> None:
    for key, version in reversed(kept.row.versions):
        kept.lose(key, version)
        assert kept.stored() == f"{key} is not in {kept.store.bucket} in the version that the catalog names"


def test_another_version_does_not_stand_in_for_one_that_is_gone(kept: _Kept) -> None:
    """A recovery reads the version of the row: somebody else's manifest at its place is of no use to it."""
    (_, (key, version)) = kept.row.versions
    kept.lose(key, version)
    put(kept.store, key, b"{}")
    assert kept.stored() == f"{key} is not in {kept.store.bucket} in the version that the catalog names"


def test_a_deletion_marker_above_the_versions_is_no_loss(kept: _Kept) -> None:
    for key, _ in kept.row.versions:
        kept.mark_deleted(key)
    assert kept.stored() == ""


def test_an_object_of_another_size_is_told(kept: _Kept) -> None:
    Catalog(PRIMARY, "mailark-catalog").put(dataclasses.replace(kept.row, size=7))
    assert kept.stored() == f"{kept.row.key} in {kept.store.bucket} has 6 bytes, and its row says 7"


def test_a_bucket_that_may_not_be_read_is_not_taken_for_an_empty_one(kept: _Kept) -> None:
    with refused(lambda request: request.method == "HEAD", "403", 403):
        assert kept.stored() == Unanswered("these credentials may not call HeadObject", refused=True)


def test_what_is_wrong_with_one_kind_is_not_said_of_the_other(kept: _Kept) -> None:
    other = _keep(kept.store, {"vault": "database", "database": "vault"}[kept.row.kind])
    kept.lose(kept.row.key, kept.row.version_id)
    found = _facts("vault", "database").stored
    assert found[other.row.kind] == ""
    assert str(found[kept.row.kind]).startswith(f"{kept.row.key} is not in ")


def test_of_a_kind_that_the_estate_has_not_nothing_is_asked(kept: _Kept) -> None:
    facts = _facts("vault")
    assert ([*facts.stored], [*facts.tested]) == (["vault"], ["vault"])


# --- approvals --------------------------------------------------------------------------------------------


def _waits(name: str) -> Approval:
    """An approval that an execution waits for."""
    return dataclasses.replace(ASKED, id=f"apr-{name}", waits=start_execution("approval", name))


def test_an_approval_is_told_as_long_as_the_execution_runs_that_waits_for_it() -> None:
    make_tables()
    kept, stopped, decided = _waits("kept"), _waits("stopped"), _waits("decided")
    approvals = Approvals(PRIMARY, "mailark-approvals")
    for each in (kept, stopped, dataclasses.replace(decided, status="approved")):
        approvals.open(each)
    aws("stepfunctions").stop_execution(executionArn=stopped.waits)
    assert _facts().waiting == [kept]


def test_where_nothing_is_asked_for_no_machine_need_be_there() -> None:
    make_tables()
    assert _facts().waiting == []


def test_approvals_that_may_not_be_read_are_not_taken_for_none() -> None:
    make_tables()
    with refused("Scan", "AccessDeniedException"):
        assert _facts().waiting == Unanswered("these credentials may not call Scan", refused=True)


# --- alarms -----------------------------------------------------------------------------------------------


def _make_alarm(name: str, state: str, *, speaks: bool = True) -> None:
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        ActionsEnabled=speaks,
        Namespace="Mailark",
        MetricName="BackupAgeSeconds",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def test_each_alarm_is_told_with_its_state_and_whether_it_speaks() -> None:
    _make_alarm(backup_alarm("vault"), "ALARM")
    _make_alarm(restore_test_alarm("vault"), "OK", speaks=False)
    _make_alarm("mailark-undelivered-events", "INSUFFICIENT_DATA")
    _make_alarm("of-somebody-else", "ALARM")
    assert _facts().alarms == {
        "mailark-vault-backup-too-old": Alarm("ALARM", speaks=True),
        "mailark-vault-restore-test-too-old": Alarm("OK", speaks=False),
        "mailark-undelivered-events": Alarm("INSUFFICIENT_DATA", speaks=True),
    }
