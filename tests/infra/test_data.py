"""What must survive everything: buckets, tables, and the stacks that hold them."""

from typing import Any

import pytest

from infra.names import BUCKETS, TABLES
from tests.infra.templates import ACCOUNT, APP_STACKS, DATA_STACKS, House, Stack, as_list

both = pytest.mark.parametrize("stack", DATA_STACKS)


def _buckets(stack: Stack) -> dict[str, dict[str, Any]]:
    """The buckets by their short name."""
    end = f"-{ACCOUNT}-{stack.region}"
    found = stack.properties("AWS::S3::Bucket").values()
    return {bucket["BucketName"].removeprefix("mailark-").removesuffix(end): bucket for bucket in found}


def _tables(stack: Stack) -> dict[str, dict[str, Any]]:
    found = stack.properties("AWS::DynamoDB::Table").values()
    return {table["TableName"].removeprefix("mailark-"): table for table in found}


@both
def test_the_region_has_every_bucket_and_every_table(house: House, stack: str) -> None:
    assert set(_buckets(house.stacks[stack])) == set(BUCKETS)
    assert set(_tables(house.stacks[stack])) == set(TABLES)


@both
def test_every_bucket_keeps_old_versions(house: House, stack: str) -> None:
    for name, bucket in _buckets(house.stacks[stack]).items():
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name


@both
def test_the_bucket_of_backups_has_object_lock(house: House, stack: str) -> None:
    buckets = _buckets(house.stacks[stack])
    assert {name for name, bucket in buckets.items() if bucket.get("ObjectLockEnabled")} == {"backups", "audit"}


@both
def test_whatever_is_put_into_the_audit_bucket_is_locked_from_that_moment_for_seven_years(
    house: House, stack: str
) -> None:
    bucket = _buckets(house.stacks[stack])["audit"]
    assert bucket["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 7 * 365}},
    }


@both
def test_no_rule_of_s3_ever_deletes_a_backup_or_evidence(house: House, stack: str) -> None:
    """Retention is Mailark's, from the catalog; S3 only clears away uploads that were never finished."""
    for name in ("backups", "audit"):
        (rule,) = _buckets(house.stacks[stack])[name]["LifecycleConfiguration"]["Rules"]
        assert rule == {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Status": "Enabled"}


@both
def test_no_bucket_is_open_to_anybody_outside_the_account(house: House, stack: str) -> None:
    for name, bucket in _buckets(house.stacks[stack]).items():
        assert bucket["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }, name
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}, name


@both
def test_every_bucket_refuses_requests_without_tls_and_with_an_old_one(house: House, stack: str) -> None:
    template = house.stacks[stack]
    policies = {policy["Bucket"]: policy for policy in template.properties("AWS::S3::BucketPolicy").values()}
    for name, bucket in _buckets(template).items():
        arn = f"arn:aws:s3:::{bucket['BucketName']}"
        refused = [
            statement["Condition"]
            for statement in policies[bucket["BucketName"]]["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny"
            and statement["Action"] == "s3:*"
            and statement["Principal"] == {"AWS": "*"}
            and set(as_list(statement["Resource"])) == {arn, f"{arn}/*"}
        ]
        assert {"Bool": {"aws:SecureTransport": "false"}} in refused, name
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in refused, name


@both
def test_a_bucket_policy_gives_access_to_nobody_but_the_service_that_delivers_access_logs(
    house: House, stack: str
) -> None:
    for policy in house.stacks[stack].properties("AWS::S3::BucketPolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                assert policy["Bucket"].startswith("mailark-access-logs-")
                assert statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
                assert statement["Action"] == "s3:PutObject"
                assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


@both
def test_every_access_to_a_backup_is_logged(house: House, stack: str) -> None:
    buckets = _buckets(house.stacks[stack])
    for name in ("backups", "audit", "work"):
        logged = buckets[name]["LoggingConfiguration"]
        assert logged["DestinationBucketName"] == buckets["access-logs"]["BucketName"]


@both
def test_every_bucket_is_encrypted_and_outlives_its_stack(house: House, stack: str) -> None:
    for name, bucket in house.stacks[stack].resources("AWS::S3::Bucket"):
        encryption = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert encryption == [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}], name
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain", name


@both
def test_every_table_can_be_restored_to_any_second_and_outlives_its_stack(house: House, stack: str) -> None:
    for name, table in house.stacks[stack].resources("AWS::DynamoDB::Table"):
        properties = table["Properties"]
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert properties["DeletionProtectionEnabled"] is True, name
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain", name


@both
def test_no_table_forgets_rows_by_itself(house: House, stack: str) -> None:
    """But for the one that counts lines of logs: nothing asks it for what is over."""
    for name, table in _tables(house.stacks[stack]).items():
        assert ("TimeToLiveSpecification" in table) is (name == "detection"), name


@both
def test_the_audit_trail_answers_by_event_by_operation_and_by_person(house: House, stack: str) -> None:
    events = _tables(house.stacks[stack])["audit-events"]
    assert [key["AttributeName"] for key in events["KeySchema"]] == ["scope", "sequence"]
    indexes = {tuple(key["AttributeName"] for key in index["KeySchema"]) for index in events["GlobalSecondaryIndexes"]}
    assert indexes == {("event", "timestamp"), ("operation_id", "timestamp"), ("user_id", "timestamp")}


@both
def test_every_change_of_the_audit_trail_and_the_escrow_is_streamed_with_what_was_there_before(
    house: House, stack: str
) -> None:
    streamed = {
        name: each["StreamSpecification"]
        for name, each in _tables(house.stacks[stack]).items()
        if "StreamSpecification" in each
    }
    assert streamed == {name: {"StreamViewType": "NEW_AND_OLD_IMAGES"} for name in ("audit-events", "escrow")}


def test_the_stacks_with_the_data_cannot_be_deleted_by_mistake(house: House) -> None:
    protected = {
        name: house.manifest["artifacts"][name]["properties"].get("terminationProtection", False)
        for name in (*DATA_STACKS, *APP_STACKS)
    }
    assert protected == dict.fromkeys(DATA_STACKS, True) | dict.fromkeys(APP_STACKS, False)


def test_nothing_that_holds_data_stands_in_a_stack_that_is_thrown_away(house: House) -> None:
    holders = ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::KMS::ReplicaKey")
    for stack in APP_STACKS:
        assert not list(house.stacks[stack].resources(*holders))
