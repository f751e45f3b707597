"""A customer whose mail and password carry marks, and runs of every scenario of the database over them."""

import subprocess
import sys
import time
from datetime import UTC, datetime

from lab.aws import ROOT
from lab.forwarding_service import DATABASE
from tests.scenarios.house import House
from tests.scenarios.people import Person, person

_SECONDS = 90


def plant_marks(house: House, mark: str) -> dict[str, bytes]:
    """Put marks into a customer's mail, headers, password hash and API payload, and run over them; what was planted."""
    server = house.lab.database.server
    query = "select d.organization_id, m.id from domains d join messages m on m.domain_id = d.id limit 1"
    customer, message = server.query(query, DATABASE)[0]
    server.query(
        "update messages set subject = %s, body = %s, headers = jsonb_build_object('X', %s::text) where id = %s",
        DATABASE,
        [f"{mark}-subject", f"{mark}-body", f"{mark}-header", message],
    )
    hashed = f"{mark}-password-hash"
    server.query("update users set password_hash = %s where organization_id = %s", DATABASE, [hashed, customer])
    _run_over(house, customer)
    found = {f"{part} of a message": f"{mark}-{part}".encode() for part in ("subject", "body", "header")}
    found["a password hash"] = hashed.encode()
    services = house.lab.database.services
    passwords = {
        "the database's superuser": server.superuser_password,
        "the staging server's superuser": house.lab.database.staging.superuser_password,
        "the service's role": house.lab.database.service_password,
        "supervisord": services.password,
    }
    return found | {f"password of {name}": value.encode() for name, value in passwords.items()}


def _run_over(house: House, customer: int) -> None:
    house.run_well("database_backup", {"reason": "with marked mail"})
    house.run_well("database_restore_test", {"reason": "with marked mail"})
    house.run_well("database_corruption", {"reason": "with marked mail", "even_if_sound": True})
    server = house.lab.database.server
    server.query("delete from organizations where id = %s", DATABASE, [customer])
    approve_deletion_of(house, customer, person(house, "erin"), person(house, "frank"))
    server.stop()
    house.alert_of(house.run("database_backup", {"reason": "fails with marked mail"}).arn)
    server.start()
    server.wait_until_ready()


def approve_deletion_of(house: House, customer: int, starter: Person, approver: Person) -> None:
    """Bring a deleted customer back, with somebody's approval."""
    scope = [{"table": "organizations", "where": f"id = {customer}"}]
    given = {"reason": "with marked mail", "deleted_at": datetime.now(UTC).isoformat(), "scope": scope}
    arn = starter.start(house, "data_deletion", given)
    house.wait_for_state(arn, "AskForApproval", _SECONDS)
    operation, deadline = house.operation(arn)["id"], time.monotonic() + _SECONDS
    asked: list[str] = []
    while not asked:
        assert time.monotonic() < deadline, "nobody was asked"
        rows = house.items("approvals")
        asked = [row["id"] for row in rows if row["operation_id"] == operation and "sent_at" in row]
        time.sleep(0.2)
    command = [sys.executable, "-m", "lambdas.approvals", "approve", asked[0], "--reason", "looked at"]
    done = subprocess.run(
        command, cwd=ROOT, env=approver.environment(house), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert house.follow(arn).status == "SUCCEEDED"
