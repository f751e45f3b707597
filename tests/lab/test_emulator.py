"""Each mend of the emulator: what AWS does, shown on the running emulator, and shown to be missing without the mend.

A behaviour is a function that looks from outside. With every mend it must see what AWS does; with one mend left out
it must see something else, or MiniStack does it by itself now, and the mend can go.
"""

import contextlib
import json
import re
import socket
import subprocess
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab.aws import ACCOUNT, ROOT, Aws
from lab.certificates import CertificateAuthority
from lab.emulator.__main__ import MENDS
from lab.processes import LOOPBACK
from tests.lab.emulator import Emulator
from tests.lab.s3_looks import (
    lock_of_an_object_in_a_stacks_bucket,
    part_of_an_old_version,
    tags_of_a_hidden_version,
)
from tests.lab.small_functions import REGION, document, function, invoke, layer, machine, task, unique
from tests.lab.stacks import deploy
from tests.lab.waiting import until

OTHER_REGION = "eu-west-1"
_ROOT_PRINCIPAL = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
_OWNED = {"Effect": "Allow", "Principal": _ROOT_PRINCIPAL, "Action": "kms:*", "Resource": "*"}


@dataclass(frozen=True)
class Behaviour:
    """`look` sees `on_aws` where the emulator does as AWS does."""

    mend: str
    sentence: str
    look: Callable[[Aws, Path], Any]
    on_aws: Any


# --- lambda_errors ----------------------------------------------------------------------------------------

_COUNTING = """
calls = 0

class VaultSealed(Exception):
    pass

def handler(event, context):
    global calls
    calls += 1
    if event == "fail":
        raise VaultSealed("it is sealed")
    return calls
"""


def _error_of_a_function(aws: Aws, folder: Path) -> Any:
    answer = invoke(aws, function(aws, _COUNTING), "fail")
    return answer["errorType"], answer["errorMessage"]


def _calls_counted_across_a_failure(aws: Aws, folder: Path) -> Any:
    counting = function(aws, _COUNTING)
    return [invoke(aws, counting), "errorType" in invoke(aws, counting, "fail"), invoke(aws, counting)]


def test_starting_a_function_leaves_what_the_lab_trusts_as_it_was(emulator: Aws) -> None:
    """MiniStack writes a bundle of its own beside its certificate, for functions that name no endpoint."""
    before = emulator.ca.read_text()
    assert invoke(emulator, function(emulator, "def handler(event, context): return 'started'")) == "started"
    assert emulator.ca.read_text() == before


# --- lambda_layers ----------------------------------------------------------------------------------------


def _folders_of_one_layer_in_two_functions(aws: Aws, folder: Path) -> Any:
    shared = layer(aws, {"of_the_layer.py": "VALUE = 'from the layer'"})
    code = "import of_the_layer\ndef handler(event, context): return [of_the_layer.VALUE, of_the_layer.__file__]"
    answers = [invoke(aws, function(aws, code, [shared])) for _ in range(2)]
    return {value for value, _ in answers}, len({file for _, file in answers})


# --- executions -------------------------------------------------------------------------------------------

_FAILING = "def handler(event, context):\n    open(event, 'a').write('called;')\n    raise RuntimeError('again')"


def _stopped_between_two_attempts(aws: Aws, folder: Path) -> Any:
    again = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}]
    failing = task(function(aws, _FAILING), Retry=again)
    arn = machine(aws, {"StartAt": "Failing", "States": {"Failing": failing}})
    states = aws.client("stepfunctions", REGION)
    files = {name: folder / unique(name) for name in ("stopped", "left alone")}

    def start(name: str) -> str:
        started = states.start_execution(stateMachineArn=arn, input=json.dumps(str(files[name])))
        return str(started["executionArn"])

    stopped = start("stopped")
    until(files["stopped"].exists, "the first attempt")
    states.stop_execution(executionArn=stopped)
    # One that starts later and goes through all of its attempts: by its end the other would have made its own.
    _end_of(states, start("left alone"))
    assert files["left alone"].read_text() == "called;" * 3
    return states.describe_execution(executionArn=stopped)["status"], files["stopped"].read_text()


def _running_past_the_time_limit(aws: Aws, folder: Path) -> Any:
    waiting = {"Type": "Wait", "Seconds": 3, "End": True}
    arn = machine(aws, {"StartAt": "Waiting", "TimeoutSeconds": 1, "States": {"Waiting": waiting}})
    states, events = aws.client("stepfunctions", REGION), aws.client("events", REGION)
    rule, received = unique("rule"), _queue(aws)
    ended = {"stateMachineArn": [arn], "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]}
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.states"], "detail": ended}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": received.arn}])
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    return _end_of(states, execution), [json.loads(text)["detail"]["status"] for text in received.wait()]


def _end_of(states: Any, execution: str) -> str:
    def ended() -> str | None:
        status = str(states.describe_execution(executionArn=execution)["status"])
        return None if status == "RUNNING" else status

    return str(until(ended, "the end of the execution"))


@dataclass(frozen=True)
class _Received:
    arn: str
    url: str
    client: Any

    def wait(self) -> list[str]:
        """The messages that have come, at least one."""

        def come() -> list[str]:
            answer = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            return [message["Body"] for message in answer.get("Messages", [])]

        return until(come, "a message")


def _queue(aws: Aws) -> _Received:
    sqs = aws.client("sqs", REGION)
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return _Received(attributes["QueueArn"], url, sqs)


# --- cross_region_outputs ---------------------------------------------------------------------------------


def _parameter(name: str, value: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}


def _output_of_a_stack_of_one_name_in_two_regions(aws: Aws, folder: Path) -> Any:
    data, name = unique("Data"), unique("/parameter")
    for region in (REGION, OTHER_REGION):
        written = _parameter(unique("/here"), f"from {region}")
        deploy(aws, region, data, written, Where={"Fn::GetAtt": ["Only", "Value"]})
    output = {"Fn::GetStackOutput": {"StackName": data, "Region": OTHER_REGION, "OutputName": "Where"}}
    deploy(aws, REGION, unique("App"), _parameter(name, {"Fn::Join": ["", ["it is ", output]]}))
    return aws.client("ssm", REGION).get_parameter(Name=name)["Parameter"]["Value"]


# --- replica_keys -----------------------------------------------------------------------------------------


def _replica(aws: Aws) -> tuple[str, str, dict[str, str]]:
    """A stack with a multi-Region key, and one with its replica: the key's ARN, the replica's stack and outputs."""
    policy = json.loads(document(_OWNED))
    key = {"Type": "AWS::KMS::Key", "Properties": {"MultiRegion": True, "KeyPolicy": policy}}
    arn = deploy(aws, REGION, unique("Keys"), key, Arn={"Fn::GetAtt": ["Only", "Arn"]})["Arn"]
    replica = {"Type": "AWS::KMS::ReplicaKey", "Properties": {"PrimaryKeyArn": arn, "KeyPolicy": policy}}
    stack = unique("Replicas")
    got = deploy(aws, OTHER_REGION, stack, replica, Arn={"Fn::GetAtt": ["Only", "Arn"]}, Id={"Ref": "Only"})
    return arn, stack, got


def _what_a_replica_opens(aws: Aws, folder: Path) -> Any:
    arn, _, replica = _replica(aws)
    assert replica == {"Arn": arn.replace(REGION, OTHER_REGION), "Id": arn.rpartition("/")[2]}
    sealed = aws.client("kms", REGION).encrypt(KeyId=arn, Plaintext=b"a seal key")["CiphertextBlob"]
    return aws.client("kms", OTHER_REGION).decrypt(KeyId=replica["Arn"], CiphertextBlob=sealed)["Plaintext"]


def test_a_replica_takes_a_changed_policy_and_keeps_its_key(emulator: Aws) -> None:
    arn, stack, replica = _replica(emulator)
    policy = json.loads(document(_OWNED | {"Sid": "Changed"}))
    changed = {"Type": "AWS::KMS::ReplicaKey", "Properties": {"PrimaryKeyArn": arn, "KeyPolicy": policy}}
    template = json.dumps({"Resources": {"Only": changed}})
    cloudformation = emulator.client("cloudformation", OTHER_REGION)
    cloudformation.update_stack(StackName=stack, TemplateBody=template)
    kms = emulator.client("kms", OTHER_REGION)
    until(lambda: "Changed" in kms.get_key_policy(KeyId=replica["Id"], PolicyName="default")["Policy"], "the policy")
    assert kms.describe_key(KeyId=replica["Arn"])["KeyMetadata"]["Enabled"] is True


# --- condition_keys ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _role_session(aws: Aws, *statements: Mapping[str, Any], service: str = "kms") -> Iterator[tuple[str, Any]]:
    """A role that may do what the statements say: its ARN, and a client of a service in a session of it."""
    name, iam = unique("role"), aws.client("iam", REGION)
    trust = {"Effect": "Allow", "Principal": _ROOT_PRINCIPAL, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    taken = aws.client("sts", REGION).assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    client = boto3.client(  # type: ignore[call-overload]  # boto3's types want a literal
        service,
        region_name=REGION,
        endpoint_url=aws.endpoint,
        verify=str(aws.ca),
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )
    with contextlib.closing(client):
        yield arn, client


def _allowed(client: Any, key: str, context: Mapping[str, str]) -> bool:
    try:
        client.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def _purposes_that_a_role_may_use_a_key_for(aws: Aws, folder: Path) -> Any:
    key = aws.client("kms", REGION).create_key(Policy=document(_OWNED))["KeyMetadata"]["Arn"]
    bound = {"StringEquals": {"kms:EncryptionContext:purpose": "backup"}}
    use = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key, "Condition": bound}
    with _role_session(aws, use) as (_, client):
        return [_allowed(client, key, context) for context in ({"purpose": "backup"}, {"purpose": "seal"}, {})]


def _roles_that_a_key_policy_lets_in(aws: Aws, folder: Path) -> Any:
    everything = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    with _role_session(aws, everything) as (named, of_named), _role_session(aws, everything) as (_, of_stranger):
        use = {"Action": "kms:GenerateDataKey", "Condition": {"ArnEquals": {"aws:PrincipalArn": named}}}
        policy = document(_OWNED | {"Action": ["kms:DescribeKey", "kms:PutKeyPolicy"]}, _OWNED | use)
        key = aws.client("kms", REGION).create_key(Policy=policy)["KeyMetadata"]["Arn"]
        return [_allowed(client, key, {}) for client in (of_named, of_stranger)]


def _namespaces_that_a_role_may_publish_metrics_to(aws: Aws, folder: Path) -> Any:
    bound = {"StringEquals": {"cloudwatch:namespace": "Mailark"}}
    use = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": bound}
    with _role_session(aws, use, service="cloudwatch") as (_, client):
        return [_may_publish(client, namespace) for namespace in ("Mailark", "Another")]


def _may_publish(client: Any, namespace: str) -> bool:
    try:
        client.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": unique("metric"), "Value": 1}])
    except client.exceptions.ClientError as error:
        if not error.response["Error"]["Code"].startswith("AccessDenied"):
            raise
        return False
    return True


# --- alarms -----------------------------------------------------------------------------------------------


def _alarm(aws: Aws, missing: str = "missing") -> str:
    """An alarm on a metric of its own, about the kind `vault`, that goes off above ten within three hours."""
    name = unique("alarm")
    aws.client("cloudwatch", REGION).put_metric_alarm(
        AlarmName=name,
        Namespace="Mailark",
        MetricName=name,
        Dimensions=[{"Name": "kind", "Value": "vault"}],
        Statistic="Maximum",
        Period=3 * 3600,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData=missing,
    )
    return name


def _publish(aws: Aws, alarm: str, kind: str, value: float) -> None:
    datum = {"MetricName": alarm, "Dimensions": [{"Name": "kind", "Value": kind}], "Value": value}
    aws.client("cloudwatch", REGION).put_metric_data(Namespace="Mailark", MetricData=[datum])


def _state(aws: Aws, alarm: str) -> str:
    (found,) = aws.client("cloudwatch", REGION).describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateValue"])


def _alarm_when_another_kind_is_too_great(aws: Aws, folder: Path) -> Any:
    alarm = _alarm(aws)
    _publish(aws, alarm, "vault", 5)
    _publish(aws, alarm, "database", 50)
    return _state(aws, alarm)


def _alarms_that_never_heard_anything(aws: Aws, folder: Path) -> Any:
    return [_state(aws, _alarm(aws, missing)) for missing in ("breaching", "notBreaching", "missing")]


def _event_of_an_alarm(aws: Aws, folder: Path) -> Any:
    received, events, alarm, rule = _queue(aws), aws.client("events", REGION), _alarm(aws), unique("rule")
    pattern = {"source": ["aws.cloudwatch", "the test"], "detail": {"alarmName": [alarm]}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": received.arn}])
    _publish(aws, alarm, "vault", 50)
    last = {"Source": "the test", "DetailType": "the end of it", "Detail": json.dumps({"alarmName": alarm})}
    events.put_events(Entries=[last])
    event = json.loads(received.wait()[0])
    if event["source"] == "the test":
        return "no event"
    metric = event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]
    return event["detail-type"], event["detail"]["state"]["value"], metric["dimensions"]


def test_an_alarm_hears_an_age_for_three_hours_and_then_misses_it(emulator: Aws) -> None:
    alarm = _alarm(emulator, "breaching")
    _publish(emulator, alarm, "vault", 5)
    states = [_state(emulator, alarm)]
    for hours in (2, 1.1):
        emulator.let_hours_pass(REGION, hours)
        states.append(_state(emulator, alarm))
    _publish(emulator, alarm, "vault", 5)
    assert [*states, _state(emulator, alarm)] == ["OK", "OK", "ALARM", "OK"]


# --- schedule_now -----------------------------------------------------------------------------------------


def _rules_that_fire_when_their_time_is_let_come(aws: Aws, folder: Path) -> Any:
    received, events = _queue(aws), aws.client("events", REGION)
    rules = []
    for state in ("DISABLED", "ENABLED"):
        rules.append(unique("rule"))
        events.put_rule(Name=rules[-1], ScheduleExpression="cron(0 2 * * ? *)", State=state)
        given = {"Id": "queue", "Arn": received.arn, "Input": json.dumps({"rule": state})}
        events.put_targets(Rule=rules[-1], Targets=[given])
    for rule in rules:
        aws.let_schedule_come(REGION, rule)
    return [json.loads(text)["rule"] for text in received.wait()]


def test_letting_the_time_of_an_unknown_rule_come_fails(emulator: Aws) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        emulator.let_schedule_come(REGION, "no-such-rule")
    caught.value.close()


# --- S3 (the looks are in s3_looks.py) ----------------------------------------------------------------------


def test_a_range_behind_the_end_of_an_old_version_is_refused(emulator: Aws) -> None:
    s3, bucket = emulator.client("s3", REGION), unique("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="backup", Body=b"0123456789")["VersionId"]
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="backup", VersionId=old, Range="bytes=10-12")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


# --- one_port ---------------------------------------------------------------------------------------------


def _addresses_it_runs_on(aws: Aws, folder: Path) -> Any:
    aws.client("s3", REGION).list_buckets()
    return len(set(re.findall(r"Running on (https://\S+)", (aws.folder / "ministack.log").read_text())))


def _may_bind(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return True
    return False


# --- all of them ------------------------------------------------------------------------------------------

BEHAVIOURS = [
    Behaviour(
        "lambda_errors",
        "a failed function is reported with the class and the text of its exception",
        _error_of_a_function,
        ("VaultSealed", "it is sealed"),
    ),
    Behaviour(
        "lambda_errors",
        "a function's process lives on after an exception",
        _calls_counted_across_a_failure,
        [1, True, 3],
    ),
    Behaviour(
        "lambda_layers",
        "two functions with one layer share one unpacked folder of it",
        _folders_of_one_layer_in_two_functions,
        ({"from the layer"}, 1),
    ),
    Behaviour(
        "executions",
        "a stopped execution stays stopped and starts nothing more",
        _stopped_between_two_attempts,
        ("ABORTED", "called;"),
    ),
    Behaviour(
        "executions",
        "a machine's time limit ends an execution and the event says so",
        _running_past_the_time_limit,
        ("TIMED_OUT", ["TIMED_OUT"]),
    ),
    Behaviour(
        "cross_region_outputs",
        "an output is taken from the stack in the region that is named",
        _output_of_a_stack_of_one_name_in_two_regions,
        f"it is from {OTHER_REGION}",
    ),
    Behaviour(
        "replica_keys",
        "a replica that a stack makes opens what its primary sealed",
        _what_a_replica_opens,
        b"a seal key",
    ),
    Behaviour(
        "condition_keys",
        "a role uses a key for the purpose that its policy names and for no other",
        _purposes_that_a_role_may_use_a_key_for,
        [True, False, False],
    ),
    Behaviour(
        "condition_keys",
        "a key policy that names a role lets in the sessions of that role alone",
        _roles_that_a_key_policy_lets_in,
        [True, False],
    ),
    Behaviour(
        "condition_keys",
        "a role publishes metrics into the namespace that its policy names and into no other",
        _namespaces_that_a_role_may_publish_metrics_to,
        [True, False],
    ),
    Behaviour(
        "alarms",
        "an alarm is of one metric with its dimensions",
        _alarm_when_another_kind_is_too_great,
        "OK",
    ),
    Behaviour(
        "alarms",
        "missing data counts as the alarm says",
        _alarms_that_never_heard_anything,
        ["ALARM", "OK", "INSUFFICIENT_DATA"],
    ),
    Behaviour(
        "alarms",
        "a change of an alarm is an event that names the metric and its dimensions",
        _event_of_an_alarm,
        ("CloudWatch Alarm State Change", "ALARM", {"kind": "vault"}),
    ),
    Behaviour(
        "schedule_now",
        "a schedule fires within a second when its time is let come unless it is off",
        _rules_that_fire_when_their_time_is_let_come,
        ["ENABLED"],
    ),
    Behaviour(
        "versioned_ranges",
        "a part of an old version of an object is answered as a part",
        part_of_an_old_version,
        (b"234", "bytes 2-4/10", 206),
    ),
    Behaviour(
        "object_lock",
        "a bucket that a stack makes with Object Lock locks what is put into it",
        lock_of_an_object_in_a_stacks_bucket,
        ["GOVERNANCE", "AccessDenied"],
    ),
    Behaviour(
        "hidden_versions",
        "a version keeps its tags when its name is hidden by a deletion",
        tags_of_a_hidden_version,
        [{"Key": "proof", "Value": "proven"}],
    ),
    Behaviour(
        "one_port",
        "the emulator listens on the one port it was given",
        _addresses_it_runs_on,
        1,
    ),
]


def test_every_mend_is_shown() -> None:
    assert {behaviour.mend for behaviour in BEHAVIOURS} == set(MENDS)


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.sentence)
def test_the_emulator_does_as_aws_does(emulator: Aws, tmp_path: Path, behaviour: Behaviour) -> None:
    assert behaviour.look(emulator, tmp_path) == behaviour.on_aws


@pytest.fixture(scope="module")
def unmended(
    request: pytest.FixtureRequest, authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Aws]:
    """An emulator with one mend left out."""
    mend = str(request.param)
    aws = Emulator(tmp_path_factory.mktemp(f"without-{mend}"), authority, left_out=mend)
    yield aws
    aws.stop()


@pytest.mark.parametrize(
    ("unmended", "behaviour"),
    [pytest.param(each.mend, each, id=f"{each.mend}: {each.sentence}") for each in BEHAVIOURS],
    indirect=["unmended"],
    scope="module",
)
def test_the_mend_is_still_needed(unmended: Aws, tmp_path: Path, behaviour: Behaviour) -> None:
    try:
        seen = behaviour.look(unmended, tmp_path)
    except (ClientError, KeyError) as error:
        seen = str(error)  # not the error itself: it would hold its connection, and the emulator's stop with it
    except urllib.error.HTTPError as error:
        error.close()
        seen = str(error)
    if behaviour.mend == "one_port" and seen == behaviour.on_aws and not _may_bind(443):
        pytest.skip("port 443 is taken or forbidden here, so MiniStack left it alone")
    assert seen != behaviour.on_aws, (
        f"MiniStack does it by itself now ({behaviour.sentence}): "
        f"look whether lab/emulator/{behaviour.mend}.py can go, wholly or in part."
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            "from ministack.core import lambda_runtime; mend='lambda_errors'; "
            "lambda_runtime._PYTHON_WORKER_SCRIPT = ''",
            "RuntimeError: MiniStack's Lambda worker has changed: see lab/emulator/lambda_errors.py",
        ),
        (
            "from ministack.services.cloudformation import provisioners; mend='replica_keys'; "
            "provisioners._RESOURCE_HANDLERS['AWS::KMS::ReplicaKey'] = {}",
            "RuntimeError: MiniStack has AWS::KMS::ReplicaKey now: remove lab/emulator/replica_keys.py",
        ),
    ],
    ids=["lambda_errors", "replica_keys"],
)
def test_a_mend_of_what_is_no_longer_there_stops_the_emulator(change: str, complaint: str) -> None:
    code = f"import importlib; {change}; importlib.import_module('lab.emulator.' + mend).apply()"
    python = ROOT / ".venv-emulator" / "bin" / "python"
    done = subprocess.run([str(python), "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.rstrip().endswith(complaint)
