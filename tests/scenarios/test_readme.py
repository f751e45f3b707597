"""The commands of the documents that need a deployed house, run as they stand."""

import re
from pathlib import Path

import pytest

from lab.tenants import Tenant
from lambdas.domain.estate_database import secret_in
from tests.scenarios.commands import CHANGE_SECRET, ENABLE, MAKE_SECRET, RECOVER, run
from tests.scenarios.house import House


def test_the_recovery_from_a_terminal(house: House, tenants: list[Tenant], backup_id: str, checkout: Path) -> None:
    assert backup_id
    house.lab.platform().destroy(tenants[:3])

    started = re.search(r'"executionArn": "([^"]+)"', run(house, RECOVER, checkout))

    assert started
    assert house.follow(started[1]).status == "SUCCEEDED"
    assert house.lab.platform().wrong(tenants) == []


@pytest.mark.parametrize("rule", ENABLE)
def test_the_standby_is_told_to_make_the_backups_and_to_test_them(rule: str, house: House, checkout: Path) -> None:
    events = house.lab.client("events", house.lab.standby)
    run(house, ENABLE[rule], checkout)
    assert events.describe_rule(Name=rule)["State"] == "ENABLED"

    run(house, ENABLE[rule].replace("enable", "disable"), checkout)
    assert events.describe_rule(Name=rule)["State"] == "DISABLED"


def test_a_login_of_the_database_is_kept_in_both_regions(house: House, checkout: Path) -> None:
    regions = (house.lab.primary, house.lab.standby)
    for login, commands in (("the first", MAKE_SECRET), ("the second", (CHANGE_SECRET,))):
        (checkout / "login.json").write_text(login)
        for command in commands:
            run(house, command, checkout)
        held = [house.lab.client("secretsmanager", each).get_secret_value(SecretId="smtpy-db") for each in regions]
        assert [each["SecretString"] for each in held] == [login, login]
        primary, standby = (each["ARN"] for each in held)
        assert secret_in(house.lab.standby, primary) == standby
