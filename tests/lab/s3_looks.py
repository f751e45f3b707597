"""What S3 shows of itself from outside: the looks of the mends that are about S3."""

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lab.aws import Aws
from tests.lab.small_functions import REGION, unique
from tests.lab.stacks import deploy


def part_of_an_old_version(aws: Aws, folder: Path) -> Any:
    s3, bucket = aws.client("s3", REGION), unique("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="backup", Body=b"0123456789")["VersionId"]
    s3.put_object(Bucket=bucket, Key="backup", Body=b"another one")
    part = s3.get_object(Bucket=bucket, Key="backup", VersionId=old, Range="bytes=2-4")
    return part["Body"].read(), part["ContentRange"], part["ResponseMetadata"]["HTTPStatusCode"]


def lock_of_an_object_in_a_stacks_bucket(aws: Aws, folder: Path) -> Any:
    """The mode of the bucket's own retention on a new object, and what deleting that version is answered with."""
    bucket = unique("locked")
    properties = {
        "BucketName": bucket,
        "VersioningConfiguration": {"Status": "Enabled"},
        "ObjectLockEnabled": True,
        "ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}},
    }
    deploy(aws, REGION, unique("Data"), {"Type": "AWS::S3::Bucket", "Properties": properties})
    s3 = aws.client("s3", REGION)
    version = s3.put_object(Bucket=bucket, Key="evidence", Body=b"a deed")["VersionId"]
    seen = [s3.get_object_retention(Bucket=bucket, Key="evidence", VersionId=version)["Retention"]["Mode"]]
    try:
        s3.delete_object(Bucket=bucket, Key="evidence", VersionId=version)
    except ClientError as error:
        seen.append(error.response["Error"]["Code"])
    return seen


def tags_of_a_hidden_version(aws: Aws, folder: Path) -> Any:
    """The tags that a version got after its key was deleted."""
    s3, bucket = aws.client("s3", REGION), unique("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    named = {"Bucket": bucket, "Key": "m", "VersionId": s3.put_object(Bucket=bucket, Key="m", Body=b"x")["VersionId"]}
    s3.delete_object(Bucket=bucket, Key="m")
    s3.put_object_tagging(**named, Tagging={"TagSet": [{"Key": "proof", "Value": "proven"}]})
    return s3.get_object_tagging(**named)["TagSet"]
