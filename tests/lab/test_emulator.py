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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.aws import ROOT, Aws
from lab.certificates import CertificateAuthority
from lab.emulator.__main__ import MENDS
from lab.processes import LOOPBACK
from tests.lab.alarm_looks import (
    alarm_when_another_kind_is_too_great,
    alarms_that_never_heard_anything,
    event_of_an_alarm,
    make_alarm,
    publish,
    state_of,
)
from tests.lab.caller_looks import ADA, ROOT_USER, starter_of_an_execution, writer_of_a_parameter
from tests.lab.emulator import Emulator
from tests.lab.event_looks import input_made_of_an_entry_of_a_list
from tests.lab.execution_looks import (
    make_queue,
    running_past_the_time_limit,
    stopped_between_two_attempts,
    stopped_in_an_attempt,
)
from tests.lab.function_looks import (
    calls_counted_across_a_failure,
    error_of_a_function,
    folders_of_one_layer_in_two_functions,
    module_of_one_layer_and_program_of_another,
)
from tests.lab.key_looks import (
    OTHER_REGION,
    OWNED,
    make_replica,
    namespaces_that_a_role_may_publish_metrics_to,
    purposes_that_a_role_may_use_a_key_for,
    roles_that_a_key_policy_lets_in,
    what_a_replica_opens,
)
from tests.lab.mail_looks import senders_that_one_may_use
from tests.lab.s3_looks import (
    lock_of_an_object_in_a_stacks_bucket,
    part_of_an_old_version,
    tags_of_a_hidden_version,
)
from tests.lab.small_functions import REGION, document, function, invoke, unique
from tests.lab.stacks import deploy
from tests.lab.token_looks import (
    tasks_that_one_may_wake,
    waiting_as_long_as_an_expression_says,
    waiting_for_a_function_that_fails,
)
from tests.lab.waiting import until


@dataclass(frozen=True)
class Behaviour:
    """`look` sees `on_aws` where the emulator does as AWS does."""

    mend: str
    sentence: str
    look: Callable[[Aws, Path], Any]
    on_aws: Any


# --- functions and executions -----------------------------------------------------------------------------


def test_starting_a_function_leaves_what_the_lab_trusts_as_it_was(emulator: Aws) -> None:
    """MiniStack writes a bundle of its own beside its certificate, for functions that name no endpoint."""
    before = emulator.ca.read_text()
    assert invoke(emulator, function(emulator, "def handler(event, context): return 'started'")) == "started"
    assert emulator.ca.read_text() == before


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


# --- keys -------------------------------------------------------------------------------------------------


def test_a_replica_takes_a_changed_policy_and_keeps_its_key(emulator: Aws) -> None:
    arn, stack, replica = make_replica(emulator)
    policy = json.loads(document(OWNED | {"Sid": "Changed"}))
    changed = {"Type": "AWS::KMS::ReplicaKey", "Properties": {"PrimaryKeyArn": arn, "KeyPolicy": policy}}
    template = json.dumps({"Resources": {"Only": changed}})
    cloudformation = emulator.client("cloudformation", OTHER_REGION)
    cloudformation.update_stack(StackName=stack, TemplateBody=template)
    kms = emulator.client("kms", OTHER_REGION)
    until(lambda: "Changed" in kms.get_key_policy(KeyId=replica["Id"], PolicyName="default")["Policy"], "the policy")
    assert kms.describe_key(KeyId=replica["Arn"])["KeyMetadata"]["Enabled"] is True


# --- alarms and schedules ---------------------------------------------------------------------------------


def test_an_alarm_hears_an_age_for_three_hours_and_then_misses_it(emulator: Aws) -> None:
    alarm = make_alarm(emulator, "breaching")
    publish(emulator, alarm, "vault", 5)
    states = [state_of(emulator, alarm)]
    for hours in (2, 1.1):
        emulator.let_hours_pass(REGION, hours)
        states.append(state_of(emulator, alarm))
    publish(emulator, alarm, "vault", 5)
    assert [*states, state_of(emulator, alarm)] == ["OK", "OK", "ALARM", "OK"]


def _rules_that_fire_when_their_time_is_let_come(aws: Aws, folder: Path) -> Any:
    received, events = make_queue(aws), aws.client("events", REGION)
    rules = []
    for state, schedule in (("DISABLED", "cron(0 2 * * ? *)"), ("ENABLED", "cron(0 5 ? * SUN#1 *)")):
        rules.append(unique("rule"))
        events.put_rule(Name=rules[-1], ScheduleExpression=schedule, State=state)
        given = {"Id": "queue", "Arn": received.arn, "Input": json.dumps({"rule": state})}
        events.put_targets(Rule=rules[-1], Targets=[given])
    for rule in rules:
        aws.let_schedule_come(REGION, rule)
    return [json.loads(text)["rule"] for text in received.wait()]


def test_a_rule_whose_time_is_let_come_twice_at_once_fires_in_two_different_seconds(emulator: Aws) -> None:
    """The time of an event counts in seconds, and tells one run of a schedule from the next."""
    received, events, rule = make_queue(emulator), emulator.client("events", REGION), unique("rule")
    events.put_rule(Name=rule, ScheduleExpression="cron(0 2 * * ? *)")
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": received.arn}])
    times = []
    for _ in range(4):
        emulator.let_schedule_come(REGION, rule)
        times += [json.loads(text)["time"] for text in received.wait()]
    assert len(set(times)) == len(times) == 4


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
        error_of_a_function,
        ("VaultSealed", "it is sealed"),
    ),
    Behaviour(
        "lambda_errors",
        "a function's process lives on after an exception",
        calls_counted_across_a_failure,
        [1, True, 3],
    ),
    Behaviour(
        "lambda_layers",
        "two functions with one layer share one unpacked folder of it",
        folders_of_one_layer_in_two_functions,
        ({"from the layer"}, 1),
    ),
    Behaviour(
        "lambda_layers",
        "a function imports from one of its layers and runs a program of another",
        module_of_one_layer_and_program_of_another,
        ["imported", "run\n"],
    ),
    Behaviour(
        "executions",
        "an execution that is stopped in an attempt stays stopped and makes no other",
        stopped_in_an_attempt,
        ("ABORTED", "called;"),
    ),
    Behaviour(
        "executions",
        "an execution that is stopped between two attempts stays stopped and makes no other",
        stopped_between_two_attempts,
        ("ABORTED", "called;"),
    ),
    Behaviour(
        "executions",
        "a machine's time limit ends an execution and the event says so",
        running_past_the_time_limit,
        ("TIMED_OUT", ["TIMED_OUT"]),
    ),
    Behaviour(
        "task_tokens",
        "a task waits for its token as long as an expression says",
        waiting_as_long_as_an_expression_says,
        ("FAILED", "States.Timeout"),
    ),
    Behaviour(
        "task_tokens",
        "a task that waits for its token fails with the function that was to hand it on",
        waiting_for_a_function_that_fails,
        ("FAILED", "RuntimeError"),
    ),
    Behaviour(
        "task_tokens",
        "the right to wake a task is a right on its state machine",
        tasks_that_one_may_wake,
        ["woken", "AccessDeniedException"],
    ),
    Behaviour(
        "parameter_writers",
        "each version of a parameter says who wrote it",
        writer_of_a_parameter,
        [ADA, ROOT_USER],
    ),
    Behaviour(
        "starts_in_cloudtrail",
        "the event history says who has started an execution",
        starter_of_an_execution,
        [ADA],
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
        what_a_replica_opens,
        b"a seal key",
    ),
    Behaviour(
        "condition_keys",
        "a role uses a key for the purpose that its policy names and for no other",
        purposes_that_a_role_may_use_a_key_for,
        [True, False, False],
    ),
    Behaviour(
        "condition_keys",
        "a key policy that names a role lets in the sessions of that role alone",
        roles_that_a_key_policy_lets_in,
        [True, False],
    ),
    Behaviour(
        "condition_keys",
        "a role publishes metrics into the namespace that its policy names and into no other",
        namespaces_that_a_role_may_publish_metrics_to,
        [True, False],
    ),
    Behaviour(
        "mail_permissions",
        "mail is sent from the address and by the identity that a policy names and from no other",
        senders_that_one_may_use,
        ["sent", "AccessDeniedException", "AccessDeniedException"],
    ),
    Behaviour(
        "alarms",
        "an alarm is of one metric with its dimensions",
        alarm_when_another_kind_is_too_great,
        "OK",
    ),
    Behaviour(
        "alarms",
        "missing data counts as the alarm says",
        alarms_that_never_heard_anything,
        ["ALARM", "OK", "INSUFFICIENT_DATA"],
    ),
    Behaviour(
        "alarms",
        "a change of an alarm is an event that names the metric and its dimensions",
        event_of_an_alarm,
        ("CloudWatch Alarm State Change", "ALARM", {"kind": "vault"}),
    ),
    Behaviour(
        "input_paths",
        "a rule makes its input of an entry of a list",
        input_made_of_an_entry_of_a_list,
        {"first": "a", "all": [{"name": "a"}, {"name": "b"}], "plain": "text"},
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
