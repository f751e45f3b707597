"""What an on-call engineer is told of the facts: what is good, what is not, and that the unknown is never good."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from lambdas.domain.lease import LeaseRow
from lambdas.domain.status import EXIT_CODES, report
from lambdas.domain.status_checks import Check
from lambdas.domain.status_facts import (
    RegionFacts,
)
from lambdas.domain.status_text import as_data, as_text
from tests.domain.builders import STARTED, row_of
from tests.domain.status_house import (
    NOW,
    OFF_IN_STANDBY,
    PRIMARY,
    RAN,
    REFUSED,
    RULES,
    STANDBY,
    bad,
    house,
    judged,
    region,
)

# --- the verdict ------------------------------------------------------------------------------------------


def test_a_house_in_which_all_is_well_is_good() -> None:
    found = report(house(), NOW)
    assert bad(found) == []
    assert (found.verdict, EXIT_CODES[found.verdict]) == ("good", 0)
    assert {check.name for check in found.checks} == {
        *("backup-age", "backup-stored", "backup-copied", "restore-test-age", "last-run", "schedules", "functions"),
        *("alarms", "contacts", "keys", "vault", "staging-vault"),
    }


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
    found = judged(**{field: REFUSED})
    assert found.verdict == "unknown"
    assert all(check.said == "It could not be told: these credentials may not call Scan." for check in bad(found))
    assert bad(found)


# --- a region that is gone --------------------------------------------------------------------------------


def test_with_the_primary_gone_the_standby_answers_and_the_rest_is_unknown() -> None:
    facts = house(region(STANDBY), silent={PRIMARY: "no answer (ConnectTimeoutError)"}, read_from=STANDBY)
    found = report(facts, NOW)
    assert (found.verdict, EXIT_CODES[found.verdict]) == ("unknown", 2)
    assert (found.region, found.backups) == (STANDBY, [row_of()])
    (check,) = bad(found)
    assert check.said == "The region does not answer: no answer (ConnectTimeoutError)."
    assert (check.name, check.region) == ("region", PRIMARY)


# --- how it looks -----------------------------------------------------------------------------------------


def test_the_text_says_first_what_is_asked_first() -> None:
    lease = LeaseRow("vault", "arn:execution", 3, True, NOW, NOW - timedelta(minutes=5))
    free = dataclasses.replace(lease, target="backup#vault", held=False)
    failed = dataclasses.replace(RAN, scenario="vault_restore", status="failed", code="c", sentence="S.", hint="H.")
    found = judged(leases=[lease, free], ran=[RAN, failed], rules=RULES | OFF_IN_STANDBY)
    text = as_text(found, every_backup=False, colour=False)
    assert text == (
        """\
example: NOT GOOD   2026-11-22 03:00 UTC, the estate as eu-central-1 has it

Regions
  eu-central-1     primary  answers
  eu-west-1        standby  answers

Backups in eu-central-1
  ID                               AGE  SIZE        PROOF   COPY
  vault-snapshot-20261122T020000Z  1 h  1000 bytes  intact  intact

Last runs in eu-central-1
  vault_backup         succeeded, ended 59 min 51 s ago (night, jo)
  vault_restore        failed, ended 59 min 51 s ago (night, jo)
                       c: S.
                       Next: H.
  The last restore test of a fresh backup took 12 s of 30 min, and its data was 1 h old (24 h promised).

Running now in eu-central-1
  vault, since 5 min: arn:execution

Checks
"""
        + text.partition("Checks\n")[2]
    )
    assert "  NOT GOOD  schedules        eu-central-1     The rule mailark-vault-backup is off.\n" in text
    assert "            Next: Turn it on: aws events enable-rule" in text


def test_colour_is_for_terminals() -> None:
    found = judged(stored="gone")
    assert "\x1b[31mNOT GOOD\x1b[0m" in as_text(found, every_backup=False, colour=True)
    assert "\x1b" not in as_text(found, every_backup=False, colour=False)


def test_the_newest_ten_backups_are_shown_and_all_when_asked_for() -> None:
    rows = [row_of(STARTED - timedelta(days=i)) for i in range(12)]
    found = judged(catalog=rows)
    assert as_text(found, every_backup=False, colour=False).count("vault-snapshot-") == 10 + 3
    assert "Backups in eu-central-1, the newest 10 of 12; --all shows every one\n" in as_text(
        found, every_backup=False, colour=False
    )
    assert as_text(found, every_backup=True, colour=False).count("vault-snapshot-") == 12 + 3
    assert len(as_data(found, every_backup=False)["backups"]) == 10
    assert len(as_data(found, every_backup=True)["backups"]) == as_data(found, every_backup=False)["backups_in_all"]


def test_the_data_is_json_with_the_same_checks() -> None:
    found = judged(stored="gone")
    data = json.loads(json.dumps(as_data(found, every_backup=False)))
    assert data["verdict"] == "not good"
    assert data["backups"][0]["age_seconds"] == 3600
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
