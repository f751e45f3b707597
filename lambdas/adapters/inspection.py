"""What a deployed region answers when somebody asks how it is: facts, and for each that was not had, why not.

Everything is read with the caller's own credentials, and nothing is changed. KMS is asked to do its work with DryRun,
which checks all of it and makes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.audit_trail import newest_events
from lambdas.adapters.aws import client, error_code
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.executions import Executions
from lambdas.adapters.leases import Leases
from lambdas.adapters.operations import Operations
from lambdas.domain.ages import TEST_EVENTS, newest_good, newest_test
from lambdas.domain.approval import Approval
from lambdas.domain.errors import OperationUnknown
from lambdas.domain.failure import as_failure, recorded_failure
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.operation import execution_name, machine_name
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.status_facts import Alarm, Key, Ran, RegionFacts, RestoreTested, Subscription, Unanswered
from lambdas.domain.timeline import Reached
from lambdas.domain.vault_duties import DUTIES

T = TypeVar("T")

TOPICS = ("operations", "security")
SEALING_KEYS: dict[str, dict[str, str]] = {
    "backup": {"purpose": "backup"},
    "seal": {"purpose": "vault-seal-key"},
    "escrow": {"purpose": "platform-master-key"},
}
"""The keys that encrypt, each with an encryption context of its purpose."""
SIGNING_KEYS = (*(f"vault-{duty}" for duty in DUTIES), "evidence")
"""`infra/names.py` has the same keys; a test holds that."""

_PREFIX = "mailark-"
REFUSALS = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "403"}
"""The codes by which AWS says that the caller may not."""
_AT_ONCE = 16
_LOOK_BACK = 5
_APPROVALS = 100
"""Executions of approvals, far more than can wait at once: each lasts two hours at the most."""


def answer(call: Callable[[], T]) -> T | Unanswered:
    """What a call gives, or why it gave nothing."""
    try:
        return call()
    except ClientError as error:
        code = error_code(error)
        if code in REFUSALS:
            return Unanswered(f"these credentials may not call {error.operation_name}", refused=True)
        return Unanswered(f"{code} from {error.operation_name}")
    except BotoCoreError as error:
        return Unanswered(f"no answer ({type(error).__name__})")
    except MailarkError as error:
        return Unanswered(as_failure(error).sentence.removesuffix("."))
    except Exception as error:  # noqa: BLE001  # whatever one answer holds, the others are told
        return Unanswered(f"its answer was not understood ({type(error).__name__})")


class Inspection:
    """One region, of the account and partition given, with a function for each of `actions`, and backups of `kinds`.

    Make it inside `brief_calls`.
    """

    def __init__(self, region: str, account: str, partition: str, actions: Sequence[str], kinds: Sequence[str]) -> None:
        self.region, self._account, self._partition = region, account, partition
        self._actions, self._kinds = actions, kinds
        names = ("s3", "events", "lambda", "cloudwatch", "sns", "kms")
        self._clients: dict[str, Any] = {name: client(name, region) for name in names}
        self._catalog = Catalog(region, f"{_PREFIX}catalog")
        self._leases = Leases(region, f"{_PREFIX}leases")
        self._approvals = Approvals(region, f"{_PREFIX}approvals")
        self._operations = Operations(region, f"{_PREFIX}operations")
        self._executions = Executions(region)

    def facts(self) -> RegionFacts:
        """Ask everything at once."""
        questions: dict[str, Callable[[], Any]] = {
            "catalog": self._catalog.rows,
            "ran": self._ran,
            "leases": self._leases.rows,
            "waiting": self._waiting,
            "rules": self._rules,
            "functions": self._functions,
            "alarms": self._alarms,
            "contacts": self._contacts,
            "keys": self._keys,
        }
        of_kinds: dict[str, Callable[[str], Any]] = {"stored": self._stored, "tested": self._tested}
        threads = len(questions) + len(of_kinds) * len(self._kinds)
        with ThreadPoolExecutor(threads, thread_name_prefix="question") as pool:

            def ask(call: Callable[[], Any]) -> Future[Any]:
                return pool.submit(copy_context().run, answer, call)

            asked = {name: ask(call) for name, call in questions.items()}
            by_kind = {
                name: {kind: ask(partial(call, kind)) for kind in self._kinds} for name, call in of_kinds.items()
            }
            found = {name: each.result() for name, each in asked.items()}
            found |= {name: {kind: each.result() for kind, each in of.items()} for name, of in by_kind.items()}
            return RegionFacts(region=self.region, **found)

    # --- backups and operations ---------------------------------------------------------------------------

    def _stored(self, kind: str) -> str:
        """What is wrong with the newest good backup, in the versions that a recovery reads: nothing, one hopes."""
        row = newest_good((row for row in self._catalog.rows() if row.kind == kind), datetime.now(UTC))
        if row is None:
            return f"There is no good {kind} backup that could lie in S3"
        s3, bucket = self._clients["s3"], f"{_PREFIX}backups-{self._account}-{self.region}"
        for key, version in row.versions:
            try:
                head = s3.head_object(Bucket=bucket, Key=key, VersionId=version)
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey", "NoSuchVersion"):
                    return f"{key} is not in {bucket} in the version that the catalog names"
                raise
            if key == row.key and head["ContentLength"] != row.size:
                return f"{key} in {bucket} has {head['ContentLength']} bytes, and its row says {row.size}"
        return ""

    def _tested(self, kind: str) -> RestoreTested | None:
        events = newest_events(self.region, f"{_PREFIX}audit-events", TEST_EVENTS[kind])
        newest = newest_test(events, kind, datetime.now(UTC))
        if newest is None:
            return None
        outcome: Mapping[str, Any] = {}
        if newest.operation_id:
            try:
                outcome = self._operations.get(newest.operation_id).outcome
            except OperationUnknown:
                outcome = {}
        times = {
            name: Reached(each["objective"], each["measured"])
            for name in ("rto", "rpo")
            if (each := outcome.get(name)) is not None
        }
        return RestoreTested(datetime.fromisoformat(newest.timestamp), newest.operation_id, **times)

    def _ran(self) -> list[Ran]:
        found = (self._last(scenario) for scenario in SCENARIOS)
        return [each for each in found if each is not None]

    def _last(self, scenario: str) -> Ran | None:
        """The newest execution that did its work: a double of a scheduled run has no record, and is passed over."""
        for each in self._executions.newest(self._machine(scenario), _LOOK_BACK):
            try:
                row = self._operations.of_execution(each.arn)
            except OperationUnknown:
                if each.status == "SUCCEEDED":
                    continue
                return Ran(scenario, execution_name(each.arn), each.status.lower(), each.started_at, each.ended_at)
            failure = recorded_failure(row.outcome)
            return Ran(
                scenario=scenario,
                id=row.operation.id,
                status=each.status.lower(),
                started_at=each.started_at,
                ended_at=each.ended_at,
                reason=row.operation.reason,
                user_id=row.operation.user_id,
                code=failure.code if failure else None,
                sentence=failure.sentence if failure else None,
                hint=failure.hint if failure else None,
            )
        return None

    def _waiting(self) -> list[Approval]:
        """What nobody has decided, of executions that run: one that was stopped leaves its request as it was."""
        pending = self._approvals.pending()
        newest = self._executions.newest(self._machine("approval"), _APPROVALS) if pending else []
        running = {each.arn for each in newest if each.ended_at is None}
        return [each for each in pending if each.waits in running]

    def _machine(self, name: str) -> str:
        return f"arn:{self._partition}:states:{self.region}:{self._account}:stateMachine:{machine_name(name)}"

    # --- what works ---------------------------------------------------------------------------------------

    def _rules(self) -> dict[str, bool]:
        pages = self._clients["events"].list_rules(NamePrefix=_PREFIX, Limit=100)["Rules"]
        return {rule["Name"]: rule["State"] != "DISABLED" for rule in pages}

    def _functions(self) -> dict[str, str]:
        """For each action, why its function cannot run; an empty text when it can."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="function") as pool:
            return dict(zip(self._actions, pool.map(self._function, self._actions), strict=True))

    def _function(self, action: str) -> str:
        name = _PREFIX + action.replace("_", "-")
        try:
            found = self._clients["lambda"].get_function_configuration(FunctionName=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return "it does not exist"
            raise
        if found.get("State") == "Failed":
            return str(found.get("StateReason", "its state is Failed"))
        if found.get("LastUpdateStatus") == "Failed":
            return str(found.get("LastUpdateStatusReason", "its last update failed"))
        return ""

    def _alarms(self) -> dict[str, Alarm]:
        pages = self._clients["cloudwatch"].get_paginator("describe_alarms").paginate(AlarmNamePrefix=_PREFIX)
        found = (alarm for page in pages for alarm in page["MetricAlarms"])
        return {each["AlarmName"]: Alarm(each["StateValue"], each["ActionsEnabled"]) for each in found}

    def _contacts(self) -> dict[str, list[Subscription]]:
        return {topic: self._subscriptions(topic) for topic in TOPICS}

    def _subscriptions(self, topic: str) -> list[Subscription]:
        arn = f"arn:{self._partition}:sns:{self.region}:{self._account}:{_PREFIX}{topic}"
        pages = self._clients["sns"].get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        return [
            Subscription(each["Protocol"], each["Endpoint"], each["SubscriptionArn"].startswith("arn:"))
            for page in pages
            for each in page["Subscriptions"]
        ]

    def _keys(self) -> dict[str, Key]:
        names = [*SEALING_KEYS, *SIGNING_KEYS]
        with ThreadPoolExecutor(len(names), thread_name_prefix="key") as pool:
            return dict(zip(names, pool.map(self._key, names), strict=True))

    def _key(self, name: str) -> Key:
        kms, alias = self._clients["kms"], f"alias/{_PREFIX}{name}"
        described = kms.describe_key(KeyId=alias)["KeyMetadata"]
        arn, state = described["Arn"], described["KeyState"]
        if name in SIGNING_KEYS:
            digest = {"Message": bytes(32), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
            return Key(state, _works(lambda: kms.sign(KeyId=arn, DryRun=True, **digest)))
        context = SEALING_KEYS[name]
        # Operators may seal, and see nothing of what they have sealed; functions take the key in the clear too.
        call = kms.generate_data_key if name == "backup" else kms.generate_data_key_without_plaintext
        return Key(state, _works(lambda: call(KeyId=arn, KeySpec="AES_256", EncryptionContext=context, DryRun=True)))


def _works(call: Callable[[], Any]) -> bool | Unanswered:
    """Whether a dry run of KMS would have succeeded: it says so by an error of its own."""
    try:
        call()
    except ClientError as error:
        code = error_code(error)
        if code in REFUSALS:
            return Unanswered("only Mailark's own functions may use them", refused=True)
        if code in ("DisabledException", "KMSInvalidStateException"):
            return False
        if code != "DryRunOperationException":
            raise
    return True
