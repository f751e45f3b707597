"""After everything else has run: marked secrets lie in Vault, marked mail in the database, and nowhere else.

The marks are planted before the last runs; then every place that people, logs or evidence see is searched for them,
as they are, in base64 and in hex, compressed or not.
"""

import base64
import gzip
import json
import secrets
import urllib.parse
from collections.abc import Iterator, Sequence

import pytest

from lab.intruder import Intruder
from lab.tenants import Tenant
from lambdas.adapters.sealed_keys import MASTER_KEY, seal_key_name
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS
from tests.scenarios.house import Alert, House, broken
from tests.scenarios.leaks import SCENARIO, leak
from tests.scenarios.marked_mail import plant_marks

pytestmark = pytest.mark.last
OF_CREDENTIALS = ("escrow", "notices", "detection")
"""Tables that hold something of tenants' credentials, and none of it in the clear."""


@pytest.fixture(scope="module")
def marks(house: House, tenants: list[Tenant]) -> dict[str, bytes]:
    """Secrets of every kind, with good and failed runs over them."""
    mark = f"MARK-{secrets.token_hex(16)}"
    kv = house.lab.vault_client().secrets.kv.v2
    planted = {
        ("vps", "a-tenant/admin_ssh", "private_key"): f"-----BEGIN {mark} vps-----",
        ("dkim", "example.org/mail", "private_key"): f"-----BEGIN {mark} dkim-----",
        ("api_keys", "a-tenant/a-key", "key"): f"{mark}-api-key",
    }
    for (mount, path, field), value in planted.items():
        kv.create_or_update_secret(path, {field: value}, mount_point=mount)
    house.run_well("vault_backup", {"reason": "with marked secrets"})
    house.run_well("vault_restore", {"reason": "with marked secrets"})
    house.lab.vault.stop()
    house.alert_of(house.run("vault_backup", {"reason": "fails with marked secrets"}).arn)
    house.lab.start_vault()

    found = {f"{mount}/{path}": value.encode() for (mount, path, _), value in planted.items()}
    found |= {f"password of {tenant.id}": tenant.password.encode() for tenant in tenants[:10]}
    platform = house.lab.platform()
    found |= {f"stored password of {each.id}": platform.read(each)["password"].encode() for each in tenants[:10]}
    found[MASTER_KEY] = house.lab.master_key
    found[seal_key_name("k1")] = _seal_key(house)
    return found | plant_marks(house, mark) | _of_a_leak(house)


def _of_a_leak(house: House) -> dict[str, bytes]:
    """The passwords of a tenant before and after a good and a failed response, an app token, and Mailu's API token."""
    with leak(house) as leaked:
        tenant, mail = leaked.tenant, house.lab.mail
        with Intruder.at_work(mail, tenant.email, tenant.password) as intruder:
            intruder.dig_in("eve@elsewhere.example")
            app_token = intruder.app_token
        house.run_well(SCENARIO, leaked.given)
        first, stored = leaked.password(), house.lab.platform().read(tenant)["password"]
        with broken(house, "prove_credential"):
            house.alert_of(house.run(SCENARIO, leaked.given).arn)
        found = {"leaked": tenant.password, "first": first, "stored": stored, "second": leaked.password()}
        found |= {"app token": app_token, "API token": mail.server.api.token}
    return {f"{name} of a leak": value.encode() for name, value in found.items()}


def _seal_key(house: House) -> bytes:
    sealed = house.lab.client("ssm").get_parameter(Name=f"/mailark/sealed-keys/{seal_key_name('k1')}")
    kms = house.lab.aws.client("kms", house.lab.primary, house.lab.host_key)
    answer = kms.decrypt(
        CiphertextBlob=base64.b64decode(sealed["Parameter"]["Value"]),
        EncryptionContext={"purpose": "vault-seal-key", "name": seal_key_name("k1")},
    )
    return bytes(answer["Plaintext"])


def test_the_search_finds_a_mark_in_every_form(marks: dict[str, bytes]) -> None:
    for name, mark in marks.items():
        encoded = base64.b64encode(b"before " + mark + b" after")
        for form in (mark, encoded, mark.hex().encode(), gzip.compress(b"before " + mark)):
            assert _leaks({"a place": form}, {name: mark}) == [f"{name} in a place"]


def test_no_execution_holds_a_secret(house: House, marks: dict[str, bytes]) -> None:
    histories: dict[str, bytes] = {}
    for region in (house.lab.primary, house.lab.standby):
        states = house.lab.client("stepfunctions", region)
        for scenario in SCENARIOS:
            arn = f"arn:aws:states:{region}:000000000000:stateMachine:{machine_name(scenario)}"
            for execution in states.list_executions(stateMachineArn=arn)["executions"]:
                name = execution["executionArn"]
                description = states.describe_execution(executionArn=name)
                histories[name] = json.dumps([description, house.history(name)], default=str).encode()
    assert len(histories) >= 3
    assert _leaks(histories, marks) == []


def test_no_log_metric_or_emulator_output_holds_a_secret(house: House, marks: dict[str, bytes]) -> None:
    logs: dict[str, bytes] = {"the emulator's own log": (house.lab.folder / "ministack.log").read_bytes()}
    logs["cdk's output"] = (house.lab.folder / "cdk.log").read_bytes()
    for region in (house.lab.primary, house.lab.standby):
        client = house.lab.client("logs", region)
        for group in client.get_paginator("describe_log_groups").paginate().search("logGroups[].logGroupName"):
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
            logs[f"{region} {group}"] = b"\n".join(e["message"].encode() for page in pages for e in page["events"])
        metrics = house.lab.client("cloudwatch", region).list_metrics()
        logs[f"{region} metrics"] = json.dumps(metrics, default=str).encode()
    assert any(b"action done" in text for text in logs.values())
    assert any(b"OperationSeconds" in text for text in logs.values())
    assert _leaks(logs, marks) == []


def test_no_table_manifest_list_or_parameter_holds_a_secret(house: House, marks: dict[str, bytes]) -> None:
    kept: dict[str, bytes] = {}
    for region in (house.lab.primary, house.lab.standby):
        for table in ("operations", "leases", "catalog", "audit-events", "audit-heads", "approvals", *OF_CREDENTIALS):
            kept[f"{region} {table}"] = json.dumps(house.items(table, region), default=str).encode()
        for bucket in ("backups", "audit", "work"):
            kept |= dict(_objects(house, region, bucket))
        for page in house.lab.client("ssm", region).get_paginator("describe_parameters").paginate():
            for parameter in page["Parameters"]:
                value = house.lab.client("ssm", region).get_parameter(Name=parameter["Name"])["Parameter"]["Value"]
                kept[f"{region} {parameter['Name']}"] = value.encode()
    assert any(name.endswith(".manifest.json") for name in kept)
    assert any("contents.json" in name for name in kept)
    assert _leaks(kept, marks) == []


def _objects(house: House, region: str, bucket: str) -> Iterator[tuple[str, bytes]]:
    s3, name = house.lab.client("s3", region), house.bucket(region, bucket)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for version in page.get("Versions", []):
            body = s3.get_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
            yield f"{name}/{version['Key']}", body


def test_no_alert_holds_a_secret(house: House, marks: dict[str, bytes]) -> None:
    alerts = _places(house.every_alert())
    assert len(alerts) >= 2
    assert _leaks(alerts, marks) == []


def test_the_search_looks_at_subject_and_body_of_every_alert() -> None:
    mark = secrets.token_hex(16)
    alerts = [Alert("vault_backup failed", mark), Alert("vault_backup failed", "nothing"), Alert(f"{mark} failed", "")]
    found = _leaks(_places(alerts), {"a mark": mark.encode()})
    assert found == ["a mark in body of alert 1", "a mark in subject of alert 3"]


def _places(alerts: Sequence[Alert]) -> dict[str, bytes]:
    """Where in alerts a secret could stand; two of them may have the same subject."""
    places: dict[str, bytes] = {}
    for number, alert in enumerate(alerts, 1):
        places[f"subject of alert {number}"] = alert.subject.encode()
        places[f"body of alert {number}"] = alert.body.encode()
    return places


def _leaks(places: dict[str, bytes], marks: dict[str, bytes]) -> list[str]:
    """Each mark that stands in a place, in any of the forms that programs give to bytes."""
    found: list[str] = []
    for place, content in places.items():
        views = [content]
        if content[:2] == b"\x1f\x8b":
            views.append(gzip.decompress(content))
        for name, mark in marks.items():
            if any(form in view for view in views for form in _forms(mark)):
                found.append(f"{name} in {place}")
    return found


def _forms(mark: bytes) -> set[bytes]:
    """As it is, escaped, in hex, and in base64 at each of the three alignments (without the borders)."""
    forms = {mark, mark.hex().encode(), mark.hex().upper().encode(), urllib.parse.quote_from_bytes(mark).encode()}
    forms.add(json.dumps(mark.decode("latin-1"))[1:-1].encode())
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + mark)
        forms.add(encoded[4 if shift else 0 : -4])
        forms.add(encoded[4 if shift else 0 : -4].replace(b"+", b"-").replace(b"/", b"_"))
    return {form for form in forms if len(form) >= 8}
