"""The copy in somebody else's store on the deployed house: tried whatever became of the one in the other region."""

import json
from collections.abc import Iterator

import pytest
import yaml

from lambdas.domain.backup import CatalogRow, manifest_key
from tests.scenarios.house import House, backup_of, broken, failure
from tests.servers.second_store import BUCKET, SecondStoreServer, second_store_server


@pytest.fixture(scope="module")
def named(house: House) -> Iterator[SecondStoreServer]:
    """A second store, in the estate and with a secret that the function may read, as a deployment leaves both."""
    ssm, iam, secrets = (house.lab.client(service) for service in ("ssm", "iam", "secretsmanager"))
    name, role = "/mailark/estate", f"mailark-copy-to-second-store-{house.lab.primary}"
    keys = json.dumps({"access_key_id": "theirs", "secret_access_key": "untold-key"})
    secret = secrets.create_secret(Name="second-store", SecretString=keys)["ARN"]
    allow = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName=role, PolicyName="second-store", PolicyDocument=policy)
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    with second_store_server(house.lab.authority) as server:
        server.make_bucket()
        estate = yaml.safe_load(before)
        store = {"endpoint": server.endpoint, "region": "us-east-1", "bucket": BUCKET, "secret": secret}
        estate["database"]["second_store"] = store | {"ca": server.authority.pem}
        ssm.put_parameter(Name=name, Value=yaml.safe_dump(estate), Type="String", Tier="Advanced", Overwrite=True)
        try:
            yield server
        finally:
            ssm.put_parameter(Name=name, Value=before, Type="String", Tier="Advanced", Overwrite=True)
            iam.delete_role_policy(RoleName=role, PolicyName="second-store")
            secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def second(named: SecondStoreServer) -> Iterator[SecondStoreServer]:
    """The same store, which answers rightly at first."""
    yield named
    named.spoil = bytes


def _lies_there(house: House, second: SecondStoreServer, row: CatalogRow) -> bool:
    objects = second.objects()
    return manifest_key(row.key) in objects and objects.get(row.key) == house.object_bytes(row)


def test_a_good_night_leaves_a_copy_there_too(house: House, second: SecondStoreServer) -> None:
    finished = house.run_well("database_backup", {"reason": "a good night"})
    row = house.catalog()[backup_of(house, finished)]
    assert (row.proof, row.copy, row.second_copy) == ("intact", "intact", "intact")
    assert finished.output["details"]["second_store"] == "intact"
    assert _lies_there(house, second, row)
    assert house.catalog(house.lab.standby)[row.id].second_copy == "none"


def test_a_night_without_the_other_region_is_red_and_its_dump_lies_in_the_second_store(
    house: House, second: SecondStoreServer
) -> None:
    with broken(house, "copy_backup"):
        finished = house.run("database_backup", {"reason": "CopyBackup is broken"})
    found = failure(finished)
    row = house.catalog()[backup_of(house, finished)]
    assert found.code == "step-failed"
    assert "CopyBackup" in found.sentence
    assert "second store" not in found.sentence
    assert "in the step CopyBackup" in house.alert_of(finished.arn).body
    assert (row.proof, row.copy, row.second_copy) == ("intact", "pending", "intact")
    assert _lies_there(house, second, row)
    assert house.states_entered(finished.arn)[-5:] == [
        "CopyToSecondStoreAfterFailure",
        "ApplyRetentionAfterFailure",
        "ApplyRetentionCopiesAfterFailure",
        "FailOperation",
        "Failed",
    ]


def test_the_standby_region_being_gone_holds_up_no_copy_to_the_second_store(
    house: House, second: SecondStoreServer
) -> None:
    with house.lab.gate.without_region(house.lab.standby):
        finished = house.run("database_backup", {"reason": "the standby region is gone"})
    assert failure(finished).code == "storage-refused"
    row = house.catalog()[backup_of(house, finished)]
    assert (row.proof, row.copy, row.second_copy) == ("intact", "failed", "intact")
    assert _lies_there(house, second, row)


def test_where_both_copies_fail_both_are_told_and_the_backup_is_good(house: House, second: SecondStoreServer) -> None:
    second.spoil = lambda body: body[:-1] + b"?"
    with broken(house, "copy_backup"):
        finished = house.run("database_backup", {"reason": "nothing can be copied"})
    found = failure(finished)
    row = house.catalog()[backup_of(house, finished)]
    assert found.code == "step-failed"
    assert "CopyBackup" in found.sentence
    told = f"And the copy to the second store failed too: The second store {second.endpoint} did not take the copy"
    assert told in found.sentence
    assert told in house.alert_of(finished.arn).body
    assert (row.is_good, row.copy, row.second_copy) == (True, "pending", "failed")


def test_a_night_that_never_came_to_that_copy_is_known_to_owe_it(house: House, second: SecondStoreServer) -> None:
    with broken(house, "copy_to_second_store"):
        finished = house.run("database_backup", {"reason": "CopyToSecondStore is broken"})
    assert "CopyToSecondStore" in failure(finished).sentence
    row = house.catalog()[backup_of(house, finished)]
    assert (row.copy, row.second_copy) == ("intact", "pending")
    assert row.key not in second.objects()
    assert house.catalog(house.lab.standby)[row.id].second_copy == "none"
