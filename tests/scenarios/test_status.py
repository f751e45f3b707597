"""`python -m lambdas.status` on the deployed house, as the on-call engineer runs it."""

import dataclasses
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.aws import ROOT
from lab.postgres import PostgresServer
from lambdas.adapters.tables import to_item
from lambdas.domain.alarms import backup_alarm
from lambdas.domain.backup import CatalogRow
from tests.scenarios.commands import STATUS, environment, run
from tests.scenarios.house import House, broken, paused

KINDS = ("vault", "database")
SECONDS = 60
"""Far more than it takes, and far less than the limits of the functions: two cores share it with a whole house."""


@pytest.fixture(scope="module", autouse=True)
def _tested(house: House, backup_id: str) -> None:
    """Of each kind a fresh backup, and a restore test that ended well an hour ago, as the audit trail has it.

    No alarm rings.
    """
    assert backup_id
    for kind in KINDS:
        house.run_well(f"{kind}_backup", {"reason": "a fresh one"})
        house.tell_of_restore_test(datetime.now(UTC) - timedelta(hours=1), kind)
    for region in (house.lab.primary, house.lab.standby):
        house.lab.aws.let_hours_pass(region, 4)  # no age that was measured before counts
        house.run_well("backup_watch", {"reason": "how old is it now?"}, region)


def _ask(house: House, *arguments: str, endpoint: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    given = environment(house) | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}) | more
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "lambdas.status", "--estate", str(house.lab.estate_file), *arguments],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert time.monotonic() - started < SECONDS
    assert "Traceback" not in done.stderr
    return done


def _data(house: House, **more: Any) -> tuple[int, dict[str, Any]]:
    done = _ask(house, "--json", **more)
    return done.returncode, json.loads(done.stdout)


def _bad(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["verdict"], each["name"], each["said"]) for each in data["checks"] if each["verdict"] != "good"]


def _newest(house: House, kind: str, region: str | None = None) -> CatalogRow:
    return [row for row in house.catalog(region).values() if row.kind == kind][-1]


def test_a_house_in_order_is_good(house: House) -> None:
    done = _ask(house)
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert done.stdout.startswith("example: GOOD   ")
    for kind, title in (("vault", "Vault backups in "), ("database", "Database backups in ")):
        section = done.stdout.partition(title + house.lab.primary)[2].partition("\n\n")[0]
        assert f"  {_newest(house, kind).id}  " in section
        assert not any(f"  {_newest(house, other).id}  " in section for other in KINDS if other != kind)
    for kind in KINDS:
        assert re.search(rf"\n  {kind}_backup +succeeded, ended ", done.stdout)
    assert "(a fresh one, unnamed operator)" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_command_of_the_documents(house: House, checkout: Path) -> None:
    assert run(house, STATUS, checkout).startswith("example: GOOD   ")


def test_the_same_as_json(house: House) -> None:
    code, data = _data(house)
    assert (code, data["verdict"], _bad(data)) == (0, "good", [])
    assert (
        {each["kind"] for each in data["backups"]} == set(data["backups_in_all"]) == set(data["tested"]) == set(KINDS)
    )
    for name in ("database", "database-staging"):
        (said,) = [each["said"] for each in data["checks"] if each["name"] == name]
        assert said.endswith("lets its role in: PostgreSQL 17, with a certificate that verifies.")
    assert data["roles"] == {house.lab.primary: "primary", house.lab.standby: "standby"}
    assert {check["region"] for check in data["checks"]} == {house.lab.primary, house.lab.standby, None}


def test_a_schedule_that_is_off_is_found_and_the_hint_turns_it_on(house: House) -> None:
    events = house.lab.client("events")
    events.disable_rule(Name="mailark-vault-backup")
    try:
        code, data = _data(house)
    finally:
        events.enable_rule(Name="mailark-vault-backup")
    assert (code, _bad(data)) == (1, [("not good", "schedules", "The rule mailark-vault-backup is off.")])
    hint = next(check["hint"] for check in data["checks"] if check["verdict"] != "good")
    assert hint.endswith(f"aws events enable-rule --region {house.lab.primary} --name mailark-vault-backup")


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_backup_is_found(house: House, kind: str) -> None:
    dynamo, rows = house.lab.client("dynamodb"), [row for row in house.catalog().values() if row.kind == kind]
    for row in rows:
        at = datetime.fromisoformat(row.started_at) - timedelta(hours=26)
        older = dataclasses.replace(row, started_at=at.isoformat())
        dynamo.put_item(TableName="mailark-catalog", Item=to_item(dataclasses.asdict(older)))
    try:
        done = _ask(house)
    finally:
        for row in rows:
            dynamo.put_item(TableName="mailark-catalog", Item=to_item(dataclasses.asdict(row)))
    assert done.returncode == 1
    assert done.stdout.count("  NOT GOOD  ") == 1
    assert "  NOT GOOD  backup-age       " in done.stdout
    assert f"The newest good {kind} backup, " in done.stdout
    assert "and at most 25 h are good." in done.stdout
    assert f"Start mailark-{kind}-backup by hand" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_that_is_gone_is_found(house: House, kind: str) -> None:
    row = _newest(house, kind, house.lab.standby)
    s3, bucket = house.lab.client("s3", house.lab.standby), house.bucket(house.lab.standby)
    body = house.object_bytes(row, house.lab.standby)
    s3.delete_object(Bucket=bucket, Key=row.key, VersionId=row.version_id, BypassGovernanceRetention=True)
    try:
        code, data = _data(house)
    finally:
        version = s3.put_object(Bucket=bucket, Key=row.key, Body=body)["VersionId"]
        item = to_item(dataclasses.asdict(dataclasses.replace(row, version_id=version)))
        house.lab.client("dynamodb", house.lab.standby).put_item(TableName="mailark-catalog", Item=item)
    told = f"{row.key} is not in {bucket} in the version that the catalog names."
    assert (code, _bad(data)) == (1, [("not good", "backup-stored", told)])


def test_an_alarm_that_rings_is_found(house: House) -> None:
    region, alarms = house.lab.standby, [backup_alarm(kind) for kind in KINDS]
    house.lab.aws.let_hours_pass(region, 4)  # nobody has said for so long how old the backups are
    try:
        code, data = _data(house)
    finally:
        house.run_well("backup_watch", {"reason": "so let it be said"}, region)
    assert (code, _bad(data)) == (1, [("not good", "alarms", f"The alarm {alarm} rings.") for alarm in alarms])
    assert _data(house)[0] == 0


def test_a_key_that_is_disabled_is_found(house: House) -> None:
    kms = house.lab.client("kms")
    key = kms.describe_key(KeyId="alias/mailark-backup")["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    try:
        code, data = _data(house)
    finally:
        kms.enable_key(KeyId=key)
    assert (code, _bad(data)) == (1, [("not good", "keys", "The key backup is Disabled.")])


def test_a_vault_that_does_not_answer_is_found(house: House) -> None:
    with paused(house.lab.vault.pid):
        code, data = _data(house)
    ((verdict, name, said),) = _bad(data)
    assert (code, verdict, name) == (1, "not good", "vault")
    assert said.startswith(
        f"Vault was not reached from this machine: Vault at {house.lab.vault.address} does not answer"
    )


def test_a_staging_vault_that_does_not_answer_is_found(house: House) -> None:
    with paused(house.lab.staging_vault.pid):
        code, data = _data(house)
    ((verdict, name, said),) = _bad(data)
    assert (code, verdict, name) == (1, "not good", "staging-vault")
    address = house.lab.staging_vault.address
    assert said.startswith(f"The staging Vault was not reached from this machine: Vault at {address} does not answer")


@pytest.mark.parametrize(
    ("server", "name", "what"),
    [("server", "database", "The database"), ("staging", "database-staging", "The staging database server")],
)
def test_a_database_server_that_does_not_answer_is_found(house: House, server: str, name: str, what: str) -> None:
    postgres: PostgresServer = getattr(house.lab.database, server)
    with paused(postgres.pid):
        code, data = _data(house)
    ((verdict, check, said),) = _bad(data)
    assert (code, verdict, check) == (1, "not good", name)
    assert said.startswith(f"{what} was not reached from this machine: PostgreSQL at {postgres.host}:{postgres.port}")


def test_what_failed_last_is_shown_with_what_to_do(house: House) -> None:
    finished = house.run("vault_restore", {"reason": "a wrong date", "backup_date": "2020-02-29"})
    assert finished.status == "FAILED"
    done = _ask(house)
    assert done.returncode == 0, "a recovery that was mistyped does not make the house bad"
    assert "no-backup-on-date: There is no vault backup of 2020-02-29." in done.stdout


def test_a_standby_that_is_red_is_found(house: House) -> None:
    region = house.lab.standby
    with broken(house, "measure_ages", region):
        assert house.run("backup_watch", {"reason": "its function is broken"}, region).status == "FAILED"
    try:
        code, data = _data(house)
    finally:
        house.run_well("backup_watch", {"reason": "its function is whole again"}, region)
    (check,) = [each for each in data["checks"] if each["verdict"] != "good"]
    assert (code, check["verdict"], check["name"], check["region"]) == (1, "not good", "last-run", region)
    assert check["said"].startswith("The last backup_watch failed")


def test_with_the_primary_gone_the_standby_answers_within_seconds(house: House) -> None:
    with house.lab.gate.without_region(house.lab.primary):
        code, data = _data(house, endpoint=house.lab.gate.endpoint)
    assert code == 2
    ((verdict, name, said),) = _bad(data)
    assert (verdict, name) == ("unknown", "region")
    assert said.startswith("The region does not answer: no answer (")
    assert (data["read_from"], data["region"]) == (house.lab.standby, house.lab.standby)
    assert data["backups"][0]["id"] == list(house.catalog(house.lab.standby))[-1]


def test_an_operator_who_may_only_read_is_told_what_was_not_tried(house: House) -> None:
    """Reading is allowed here, and using keys and reading secrets is not: that is skipped, and never passed."""
    iam = house.lab.client("iam")
    reading = [
        *("ssm:GetParameter", "dynamodb:Scan", "dynamodb:Query", "dynamodb:GetItem", "s3:GetObject", "s3:ListBucket"),
        *("s3:GetObjectVersion", "states:ListExecutions", "events:ListRules", "lambda:GetFunctionConfiguration"),
        *("cloudwatch:DescribeAlarms", "sns:ListSubscriptionsByTopic", "kms:DescribeKey"),
    ]
    iam.create_user(UserName="reader")
    statement = {"Effect": "Allow", "Action": reading, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=document)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    code, data = _data(house, **own)

    assert code == 0, _bad(data)
    skipped = _bad(data)
    assert [(verdict, name) for verdict, name, _ in skipped] == [
        *[("skipped", "keys")] * 2,
        ("skipped", "database"),
        ("skipped", "database-staging"),
    ]
    assert "(only Mailark's own functions may use them)" in skipped[0][2]
    for *_, said in skipped[2:]:
        assert "answers with a certificate that verifies; its login was not tried: these credentials may not" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIANOBODYATALLHERE1"}, "This shell has no valid credentials for AWS: "),
        ({"AWS_ENDPOINT_URL": "https://127.0.0.1:1"}, "No region gave the estate: "),
    ],
)
def test_what_cannot_be_told_is_said_in_two_lines(house: House, more: dict[str, str], said: str) -> None:
    done = _ask(house, **more)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 2
    assert "\nNext: " in done.stderr


def test_a_shell_without_a_region_is_told_to_name_one(house: House, tmp_path: Path) -> None:
    given = {name: value for name, value in environment(house).items() if "REGION" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "lambdas.status", "--estate", str(tmp_path / "none.yaml")],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("No region is known: ")
