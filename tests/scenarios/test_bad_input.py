"""What a person may mistype: a clear error, an alert, a free lease, and a Vault that nobody has touched."""

import pytest

from lab.tenants import Tenant
from tests.scenarios.house import House, failure

EXAMPLE = 'Start the execution again with an input such as {"reason": "Vault lost its disk"}.'

MISTAKES = {
    "an unknown field": (
        {"reason": "x", "backupdate": "2026-11-22"},
        "input-invalid",
        "The input of vault_restore is not valid: backupdate: this key is not known (did you mean backup_date?).",
        EXAMPLE,
    ),
    "a wrong type": (
        {"reason": 3},
        "input-invalid",
        "The input of vault_restore is not valid: reason: expected text, got 3; put it in quotes.",
        EXAMPLE,
    ),
    "an impossible date": (
        {"reason": "x", "backup_date": "2026-02-30"},
        "input-invalid",
        "The input of vault_restore is not valid: backup_date: expected a date such as 2026-11-22, got '2026-02-30'.",
        EXAMPLE,
    ),
    "no reason": (
        {},
        "input-invalid",
        "The input of vault_restore is not valid: reason: this key is required and missing.",
        EXAMPLE,
    ),
    "both a date and an id": (
        {"reason": "x", "backup_date": "2026-11-22", "backup_id": "vault-snapshot-20261122T020000Z"},
        "backup-choice-ambiguous",
        "Both backup_date and backup_id were given.",
        "Give one of them, or neither for the newest backup that is proved intact.",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_input_that_cannot_be_meant_is_refused_before_anything_begins(
    house: House, backup_id: str, mistake: str
) -> None:
    given, code, sentence, hint = MISTAKES[mistake]
    before = house.fingerprint()

    finished = house.run("vault_restore", given)

    found = failure(finished)
    assert (found.code, found.sentence, found.hint) == (code, sentence, hint)
    _refused_and_unharmed(house, finished.arn, code, before)
    assert house.states_entered(finished.arn) == ["BeginOperation", "FailOperation", "Failed"]
    assert backup_id


def test_a_date_without_a_backup_says_which_dates_have_one(house: House, backup_id: str) -> None:
    before = house.fingerprint()
    finished = house.run("vault_restore", {"reason": "x", "backup_date": "2020-02-29"})

    found = failure(finished)
    assert found.code == "no-backup-on-date"
    assert found.sentence == "There is no vault backup of 2020-02-29."
    assert found.hint == f"Dates with a backup that can be restored: {house.catalog()[backup_id].date}."
    _refused_and_unharmed(house, finished.arn, found.code, before)


def test_an_id_that_nobody_knows_says_which_there_are(house: House, backup_id: str) -> None:
    before = house.fingerprint()
    finished = house.run("vault_restore", {"reason": "x", "backup_id": "vault-snapshot-19990101T020000Z"})

    found = failure(finished)
    assert found.code == "backup-unknown"
    assert found.sentence == "The catalog has no backup with the id vault-snapshot-19990101T020000Z."
    assert backup_id in found.hint
    _refused_and_unharmed(house, finished.arn, found.code, before)


def test_an_id_of_another_kind_of_backup_is_refused(house: House, backup_id: str, tenants: list[Tenant]) -> None:
    assert tenants
    dynamo = house.lab.client("dynamodb")
    item = dynamo.get_item(TableName="mailark-catalog", Key={"id": {"S": backup_id}})["Item"]
    other = {"id": {"S": "smtpy_20261122_030000"}, "kind": {"S": "database"}}
    dynamo.put_item(TableName="mailark-catalog", Item=item | other)
    before = house.fingerprint()

    finished = house.run("vault_restore", {"reason": "x", "backup_id": "smtpy_20261122_030000"})
    dynamo.delete_item(TableName="mailark-catalog", Key={"id": other["id"]})

    found = failure(finished)
    assert found.code == "backup-of-other-kind"
    sentence = "smtpy_20261122_030000 is a backup of kind database, and this scenario restores vault."
    assert found.sentence == sentence
    assert backup_id in found.hint
    _refused_and_unharmed(house, finished.arn, found.code, before)


def _refused_and_unharmed(house: House, arn: str, code: str, before: str) -> None:
    alert = house.alert_of(arn)
    assert alert.subject == f"[example] vault_restore failed: {code}"
    assert len(house.alerts_about(arn)) == 1
    assert house.operation(arn)["status"] == "failed"
    assert house.audit_events(arn)[-1] == "vault_restoration_failed"
    assert house.lease_is_free("vault")
    assert house.fingerprint() == before
