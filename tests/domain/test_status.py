"""What an on-call engineer is told of the facts: what is good, what is not, and that the unknown is never good."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from lambdas.domain.lease import LeaseRow
from lambdas.domain.status import EXIT_CODES, report
from lambdas.domain.status_check import Check
from lambdas.domain.status_facts import (
    RegionFacts,
)
from lambdas.domain.status_text import as_data, as_text
from tests.domain.builders import STARTED, row_of
from tests.domain.status_house import (
    DUMPED,
    NOW,
    OFF_IN_STANDBY,
    PRIMARY,
    RAN,
    REFUSED,
    RULES,
    STANDBY,
    backups,
    bad,
    house,
    house_without_database,
    judged,
    region,
)
from tests.domain.test_approval import ASKED

OF_ALL_HOUSES = {
    *("backup-age", "backup-stored", "backup-copied", "restore-test-age", "last-run", "schedules", "functions"),
    *("alarms", "approvals", "contacts", "keys", "vault", "staging-vault"),
}

# --- the verdict ------------------------------------------------------------------------------------------


def test_a_house_in_which_all_is_well_is_good() -> None:
    found = report(house(), NOW)
    assert bad(found) == []
    assert (found.verdict, EXIT_CODES[found.verdict]) == ("good", 0)
    assert {check.name for check in found.checks} == OF_ALL_HOUSES | {"database", "database-staging"}


def test_a_house_without_a_database_is_good_and_nothing_is_said_of_one() -> None:
    found = report(house_without_database(), NOW)
    assert bad(found) == []
    assert found.verdict == "good"
    assert {check.name for check in found.checks} == OF_ALL_HOUSES
    assert [ages.kind for ages in found.ages] == ["vault"]
    assert "database" not in as_text(found, every_backup=False, colour=False).lower()
    assert "smtpy" not in json.dumps(as_data(found, every_backup=True))


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["good"], "good"),
        (["good", "skipped"], "good"),
        (["good", "unknown"], "unknown"),
        (["good", "unknown", "not good"], "not good"),
        (["skipped"], "unknown"),
        ([], "unknown"),
    ],
)
def test_what_is_unknown_is_never_good_and_what_is_bad_is_bad(verdicts: list[Any], whole: str) -> None:
    checks = [Check("c", None, verdict, "said.") for verdict in verdicts]
    found = dataclasses.replace(report(house(), NOW), checks=checks)
    assert found.verdict == whole


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(RegionFacts) if each.name != "region"])
def test_a_fact_that_was_not_had_never_passes(field: str) -> None:
    if field == "leases":  # only shown
        assert judged(leases=REFUSED).leases == []
        return
    of_a_kind = field in ("stored", "tested")
    found = judged(**{field: dict.fromkeys(("vault", "database"), REFUSED) if of_a_kind else REFUSED})
    assert found.verdict == "unknown"
    assert all(check.said == "It could not be told: these credentials may not call Scan." for check in bad(found))
    assert bad(found)


@pytest.mark.parametrize(("field", "check"), [("stored", "backup-stored"), ("tested", "restore-test-age")])
def test_what_is_known_of_one_kind_is_told_though_the_other_is_unknown(field: str, check: str) -> None:
    facts = house()
    both = getattr(facts.regions[0], field)
    found = judged(**{field: both | {"database": REFUSED}})
    assert [each.verdict for each in found.checks if (each.name, each.region) == (check, PRIMARY)] == [
        "good",
        "unknown",
    ]


# --- a region that is gone --------------------------------------------------------------------------------


def test_with_the_primary_gone_the_standby_answers_and_the_rest_is_unknown() -> None:
    facts = house(region(STANDBY), silent={PRIMARY: "no answer (ConnectTimeoutError)"}, read_from=STANDBY)
    found = report(facts, NOW)
    assert (found.verdict, EXIT_CODES[found.verdict]) == ("unknown", 2)
    assert (found.region, found.backups) == (STANDBY, backups())
    (check,) = bad(found)
    assert check.said == "The region does not answer: no answer (ConnectTimeoutError)."
    assert (check.name, check.region) == ("region", PRIMARY)


def test_a_region_that_was_named_and_gave_no_estate_is_not_passed_over_without_a_word() -> None:
    found = report(house(passed_over={"us-east-1": "ParameterNotFound"}), NOW)
    assert (found.verdict, EXIT_CODES[found.verdict]) == ("unknown", 2)
    assert bad(found) == [
        Check(
            "region",
            "us-east-1",
            "unknown",
            "--region names it, and it gave no estate (ParameterNotFound): all else is of the estate in eu-central-1.",
            "If that is not the one that you mean, name its primary or standby. Ask again; health.aws.amazon.com tells "
            "whether AWS has a problem there.",
        )
    ]


# --- a person is waited for -------------------------------------------------------------------------------

DECIDE = f'.venv/bin/python -m lambdas.approvals --region {STANDBY} approve {ASKED.id} --reason "..."'
SOON = dataclasses.replace(ASKED, expires_at="2026-11-22T03:30:00.000Z")


def test_an_operation_that_waits_for_a_person_is_shown_with_the_command_that_decides_it() -> None:
    found = report(house(region(), region(STANDBY, waiting=[SOON])), NOW)
    assert found.verdict == "good"
    assert _section(as_text(found, every_backup=False, colour=False)) == (
        "  apr-0123456789abcdef  data_deletion in eu-west-1, until 2026-11-22 03:30 UTC: import 4 rows into 3 tables, "
        "on database smtpy on db.example.org\n"
        f"                        Next: {DECIDE} (or refuse; first look at it: show)\n"
    )
    (waiting,) = json.loads(json.dumps(as_data(found, every_backup=False)))["waiting"]
    assert (waiting["region"], waiting["approval"]["id"], waiting["decide"]) == (STANDBY, ASKED.id, DECIDE)
    assert [each.said for each in found.checks if each.name == "approvals"] == [
        "No operation waits for a person.",
        "data_deletion waits for a person, who decides apr-0123456789abcdef.",
    ]


@pytest.mark.parametrize("over", [{"expires_at": "2026-11-22T03:00:00.000Z"}, {"status": "approved"}])
def test_what_nobody_can_decide_any_more_waits_for_nobody(over: dict[str, Any]) -> None:
    found = judged(waiting=[dataclasses.replace(SOON, **over)])
    assert bad(found) == []
    assert found.waiting == []
    assert _section(as_text(found, every_backup=False, colour=False)) == "  nothing\n"


def test_where_approvals_may_not_be_read_it_is_not_said_that_nothing_waits() -> None:
    assert _section(as_text(judged(waiting=REFUSED), every_backup=False, colour=False)) == "  not known\n"


def _section(text: str) -> str:
    """What the text says of whom it waits for."""
    return text.partition("Waiting for a person\n")[2].partition("\n\n")[0] + "\n"


# --- how it looks -----------------------------------------------------------------------------------------


def test_the_text_says_first_what_is_asked_first() -> None:
    lease = LeaseRow("vault", "arn:execution", 3, True, NOW, NOW - timedelta(minutes=5))
    free = dataclasses.replace(lease, target="backup#vault", held=False)
    failed = dataclasses.replace(RAN, scenario="database_restore_test", status="failed", code="c", sentence="S.")
    failed = dataclasses.replace(failed, hint="H.")
    found = judged(leases=[lease, free], ran=[RAN, failed], rules=RULES | OFF_IN_STANDBY)
    text = as_text(found, every_backup=False, colour=False)
    assert text == (
        """\
example: NOT GOOD   2026-11-22 03:00 UTC, the estate as eu-central-1 has it

Regions
  eu-central-1     primary  answers
  eu-west-1        standby  answers

Vault backups in eu-central-1
  ID                               AGE  SIZE        PROOF   COPY
  vault-snapshot-20261122T020000Z  1 h  1000 bytes  intact  intact

Database backups in eu-central-1
  ID                            AGE     SIZE        PROOF   COPY
  smtpy_20261122_023000.sql.gz  30 min  1000 bytes  intact  intact

Last runs in eu-central-1
  vault_backup              succeeded, ended 59 min 51 s ago (night, jo)
  database_restore_test     failed, ended 59 min 51 s ago (night, jo)
                            c: S.
                            Next: H.
  The last restore test of a fresh vault backup took 12 s of 30 min, and its data was 1 h old (24 h promised).
  The last restore test of a fresh database backup took 1 min 35 s of 1 h, and its data was 2 h old (24 h promised).

Running now in eu-central-1
  vault, since 5 min: arn:execution

Waiting for a person
  nothing

Checks
"""
        + text.partition("Checks\n")[2]
    )
    assert "  NOT GOOD  schedules        eu-central-1     The rule mailark-vault-backup is off.\n" in text
    assert "            Next: Turn it on: aws events enable-rule" in text


def test_colour_is_for_terminals() -> None:
    found = judged(stored={"vault": "gone", "database": ""})
    assert "\x1b[31mNOT GOOD\x1b[0m" in as_text(found, every_backup=False, colour=True)
    assert "\x1b" not in as_text(found, every_backup=False, colour=False)


def test_the_newest_ten_backups_of_each_kind_are_shown_and_all_when_asked_for() -> None:
    nights = [timedelta(days=i) for i in range(12)]
    dumps = [row_of(DUMPED - age, "database") for age in nights]
    found = judged(catalog=[*dumps, *(row_of(STARTED - age) for age in nights)])
    brief, whole = (as_text(found, every_backup=every, colour=False) for every in (False, True))
    assert [brief.count(name) for name in ("vault-snapshot-", "smtpy_")] == [10 + 3, 10 + 3]
    assert "Vault backups in eu-central-1, the newest 10 of 12; --all shows every one\n" in brief
    assert "Database backups in eu-central-1, the newest 10 of 12; --all shows every one\n" in brief
    assert [whole.count(name) for name in ("vault-snapshot-", "smtpy_")] == [12 + 3, 12 + 3]
    data = as_data(found, every_backup=False)
    assert [each["kind"] for each in data["backups"]] == ["database"] * 10 + ["vault"] * 10
    assert data["backups_in_all"] == {"vault": 12, "database": 12}
    assert len(as_data(found, every_backup=True)["backups"]) == 24


def test_a_kind_without_backups_is_shown_as_such() -> None:
    text = as_text(judged(catalog=backups("vault")), every_backup=False, colour=False)
    assert "\nDatabase backups in eu-central-1\n  none\n" in text


def test_backups_of_a_database_that_the_estate_once_had_are_shown_and_their_age_is_not_judged() -> None:
    facts = house_without_database()
    regions = [dataclasses.replace(each, catalog=[row_of(), row_of(STARTED, "database")]) for each in facts.regions]
    found = report(dataclasses.replace(facts, regions=regions), NOW + timedelta(hours=10))
    assert {check.name for check in bad(found)} == {"left-kind"}
    assert "  smtpy_20261122_020000.sql.gz  11 h  " in as_text(found, every_backup=False, colour=False)


def test_the_data_is_json_with_the_same_checks() -> None:
    found = judged(stored={"vault": "gone", "database": ""})
    data = json.loads(json.dumps(as_data(found, every_backup=False)))
    assert data["verdict"] == "not good"
    assert [(each["kind"], each["age_seconds"]) for each in data["backups"]] == [("database", 1800), ("vault", 3600)]
    assert [(each["kind"], each["backup_seconds"]) for each in data["ages"]] == [("vault", 3600), ("database", 1800)]
    assert {kind: each["operation_id"] for kind, each in data["tested"].items()} == {
        "vault": "op-2",
        "database": "op-3",
    }
    (check,) = [check for check in data["checks"] if check["verdict"] != "good"]
    assert (check["name"], check["region"], check["said"]) == ("backup-stored", PRIMARY, "gone.")
    assert [check["said"] for check in data["checks"]] == [check.said for check in found.checks]


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (20 * 1024**2, "20 MiB"), (3 * 1024**4, "3072 GiB")],
)
def test_a_size_is_told_in_its_unit(size: int, shown: str) -> None:
    found = judged(catalog=[dataclasses.replace(row_of(), size=size)])
    assert f"  {shown}  " in as_text(found, every_backup=False, colour=False)


@pytest.mark.parametrize(("days", "shown"), [(2, "49 h"), (3, "3 days"), (40, "40 days")])
def test_an_age_is_told_in_days_from_three_days_on(days: int, shown: str) -> None:
    found = judged(catalog=[row_of(STARTED - timedelta(days=days))])
    assert f"Z  {shown}  " in as_text(found, every_backup=False, colour=False)
