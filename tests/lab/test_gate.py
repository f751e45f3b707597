"""The gate between the functions and the embedded AWS: unseen while there is no fault, and exact while there is one."""

import contextlib
import hashlib
import random
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, SSLError

from lab.certificates import CertificateAuthority
from lab.gate import Call, Fault, Gate
from lab.processes import free_port
from tests.lab.emulator import Emulator
from tests.lab.small_functions import REGION, unique

OTHER_REGION = "eu-west-1"
_CUT = (ConnectionClosedError, SSLError)
"""How a connection ends that is cut without a good-bye, before or in the middle of the request."""
Client = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def gate(emulator: Emulator, authority: CertificateAuthority) -> Iterator[Gate]:
    with Gate(emulator, authority.issue("gate"), free_port()).open() as gate:
        yield gate


@pytest.fixture
def client(gate: Gate, emulator: Emulator) -> Iterator[Client]:
    """Makes a client that takes the gate for AWS, as the functions do, and tries once."""
    with contextlib.ExitStack() as stack:

        def make(service: str, region: str) -> Any:
            made = boto3.client(  # type: ignore[call-overload]  # boto3's types want a literal
                service,
                region_name=region,
                endpoint_url=gate.endpoint,
                verify=str(emulator.ca),
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
            return stack.enter_context(contextlib.closing(made))

        yield make


def test_what_goes_through_comes_out_unchanged(client: Client, emulator: Emulator) -> None:
    body = random.Random(1).randbytes(3_000_000)
    key = "vault/daily/2026-11-22/a name with spaces + plus & ünïcode.enc"
    s3, bucket = client("s3", REGION), unique("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"made-by": "test"})
    directly = emulator.client("s3", REGION).get_object(Bucket=bucket, Key=key)
    assert hashlib.sha256(directly["Body"].read()).digest() == hashlib.sha256(body).digest()
    through = s3.get_object(Bucket=bucket, Key=key)
    assert hashlib.sha256(through["Body"].read()).digest() == hashlib.sha256(body).digest()
    assert through["Metadata"] == {"made-by": "test"}
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body)
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="vault/")["Contents"]] == [key]


def test_an_error_of_aws_goes_through_as_it_is(client: Client) -> None:
    with pytest.raises(ClientError, match="ParameterNotFound"):
        client("ssm", REGION).get_parameter(Name="/no-such-parameter")


def test_a_region_that_is_gone_is_cut_off_and_the_other_one_answers(gate: Gate, client: Client) -> None:
    here, there = client("sqs", REGION), client("sqs", OTHER_REGION)
    with gate.without_region(OTHER_REGION) as refused:
        with pytest.raises(_CUT):
            there.list_queues()
        assert here.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert [(call.region, call.service, call.target) for call in refused] == [(OTHER_REGION, "sqs", "ListQueues")]
    assert there.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_one_call_is_cut_while_the_fault_is_there_and_no_other(gate: Gate, client: Client) -> None:
    ssm, name = client("ssm", REGION), unique("/parameter")
    ssm.put_parameter(Name=name, Value="before", Type="String")
    with gate.fault(Fault(lambda call: call.target == "PutParameter")) as refused:
        with pytest.raises(_CUT):
            ssm.put_parameter(Name=name, Value="meanwhile", Type="String", Overwrite=True)
        assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "before"
        assert [call.target for call in refused] == ["PutParameter"]
    ssm.put_parameter(Name=name, Value="after", Type="String", Overwrite=True)
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "after"


def test_a_call_is_answered_with_the_error_that_the_fault_gives(gate: Gate, client: Client) -> None:
    kms = client("kms", REGION)
    fault = Fault(lambda call: call.service == "kms", status=400, body='{"__type": "DisabledException"}')
    with gate.fault(fault), pytest.raises(ClientError) as caught:
        kms.list_keys()
    assert caught.value.response["Error"]["Code"] == "DisabledException"
    assert "Keys" in kms.list_keys()


def test_a_fault_sees_the_method_the_path_and_the_query_of_a_call(gate: Gate, client: Client) -> None:
    s3, bucket = client("s3", REGION), unique("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    seen: list[Call] = []

    def parts(call: Call) -> bool:
        seen.append(call)
        return call.method == "PUT" and "partNumber=1" in call.query

    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")["UploadId"]
    with gate.fault(Fault(parts)) as refused:
        with pytest.raises(_CUT):
            s3.upload_part(Bucket=bucket, Key="large", UploadId=upload, PartNumber=1, Body=b"part")
        s3.put_object(Bucket=bucket, Key="small", Body=b"whole")
    assert [call.path for call in refused] == [f"/{bucket}/large"]
    assert [call.path for call in seen] == [f"/{bucket}/large", f"/{bucket}/small"]
    assert {call.service for call in seen} == {"s3"}


def test_every_fault_counts_its_own_calls_anew(gate: Gate, client: Client) -> None:
    sqs = client("sqs", REGION)
    for _ in range(2):
        with gate.without_region(REGION) as refused:
            with pytest.raises(_CUT):
                sqs.list_queues()
            assert len(refused) == 1


def test_whoever_leaves_while_asking_is_no_error(
    gate: Gate, client: Client, authority: CertificateAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    tls = ssl.create_default_context(cafile=str(authority.file))
    with tls.wrap_socket(socket.create_connection(("127.0.0.1", gate.port), 10), server_hostname="127.0.0.1") as asking:
        asking.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        asking.shutdown(socket.SHUT_RDWR)
    client("s3", REGION).list_buckets()  # by now the gate has seen it
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


def test_a_gate_that_is_closed_takes_no_calls(emulator: Emulator, authority: CertificateAuthority) -> None:
    with Gate(emulator, authority.issue("closing"), free_port()).open() as gate:
        endpoint = gate.endpoint
    closed = boto3.client(
        "sqs",
        region_name=REGION,
        endpoint_url=endpoint,
        verify=str(emulator.ca),
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with contextlib.closing(closed), pytest.raises(EndpointConnectionError):
        closed.list_queues()
