"""What an on-call engineer is told of the facts: what is good, what is not, and that the unknown is never good."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from lambdas.domain.alarms import UNDELIVERED_ALARM, backup_alarm, expected_alarms, restore_test_alarm
from lambdas.domain.estate import parse_estate
from lambdas.domain.lease import LeaseRow
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS, ScheduledInput
from lambdas.domain.status import EXIT_CODES, Report, report
from lambdas.domain.status_checks import FAILURE_RULE, IN_BOTH_REGIONS, Check
from lambdas.domain.status_facts import (
    Alarm,
    Facts,
    Key,
    Ran,
    RegionFacts,
    RestoreTested,
    Subscription,
    Unanswered,
    VaultFacts,
)
from lambdas.domain.status_text import as_data, as_text
from lambdas.domain.timeline import Reached
from tests.domain.builders import ESTATE, STARTED, row_of
from tests.domain.test_estate import NETWORK

NOW = STARTED + timedelta(hours=1)
PRIMARY, STANDBY = "eu-central-1", "eu-west-1"
SCHEDULED = {name for name, scenario in SCENARIOS.items() if issubclass(scenario.input, ScheduledInput)}
RULES = {machine_name(name): True for name in SCHEDULED} | {FAILURE_RULE: True}
OFF_IN_STANDBY = {machine_name(name): False for name in SCHEDULED - IN_BOTH_REGIONS}
STILL, RINGING = Alarm("OK", speaks=True), Alarm("ALARM", speaks=True)
REFUSED = Unanswered("these credentials may not call Scan", refused=True)
RAN = Ran("vault_backup", "op-1", "succeeded", "2026-11-22T02:00:00+00:00", "2026-11-22T02:00:09+00:00", "night", "jo")


def region(name: str = PRIMARY, **changes: Any) -> RegionFacts:
    """A region in which all is well."""
    facts = RegionFacts(
        region=name,
        catalog=[row_of()],
        stored="",
        tested=RestoreTested(NOW - timedelta(days=2), "op-2", Reached(1800, 12.0), Reached(86_400, 3600.0)),
        ran=[RAN],
        leases=[],
        rules=RULES if name == PRIMARY else RULES | OFF_IN_STANDBY,
        functions={"verify_backup": ""},
        alarms=dict.fromkeys(expected_alarms(tested_here=name == PRIMARY), STILL),
        contacts={"operations": [Subscription("email", "oncall@example.net", confirmed=True)]},
        keys={"backup": Key("Enabled", used=True)},
    )
    return dataclasses.replace(facts, **changes)


def house(*regions: RegionFacts, **changes: Any) -> Facts:
    """A house in which all is well."""
    known = list(regions) or [region(), region(STANDBY)]
    facts = Facts(
        estate=parse_estate(ESTATE),
        read_from=PRIMARY,
        same_estate=True,
        regions=known,
        silent={},
        vault=VaultFacts(leader="https://vault.example.org:8200"),
        staging=VaultFacts(leader="https://staging.example.net"),
    )
    return dataclasses.replace(facts, **changes)


def judged(**changes: Any) -> Report:
    """The report when the primary answers something else."""
    return report(house(region(**changes), region(STANDBY)), NOW)


def bad(found: Report) -> list[Check]:
    return [check for check in found.checks if check.verdict != "good"]


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


# --- each check -------------------------------------------------------------------------------------------


def test_a_backup_over_25_hours_is_not_good() -> None:
    (check,) = bad(report(house(region(), region(STANDBY, catalog=[row_of(STARTED - timedelta(hours=25))])), NOW))[:1]
    assert (check.name, check.region, check.verdict) == ("backup-age", STANDBY, "not good")
    assert check.said == (
        "The newest good vault backup, vault-snapshot-20261121T010000Z, is 26 h old, and at most 25 h are good."
    )
    assert "Start mailark-vault-backup by hand" in (check.hint or "")


def test_no_good_backup_is_not_good() -> None:
    found = judged(catalog=[row_of(proof="stored"), row_of(series="pre-restore")])
    assert "There is no good vault backup." in [check.said for check in bad(found)]


def test_a_backup_that_is_dated_in_the_future_is_not_good_and_hides_nothing() -> None:
    """What is asked of the newest backup is asked of the newest that has an age."""
    ahead = row_of(NOW + timedelta(days=1))
    found = report(house(region(catalog=[ahead, row_of()]), region(STANDBY, catalog=[ahead])), NOW)
    told = "vault-snapshot-20261123T030000Z is dated in the future, and a recovery takes it for the newest."
    assert [(check.name, check.region, check.said) for check in bad(found)] == [
        ("backup-age", PRIMARY, told),
        ("backup-age", STANDBY, told),
        ("backup-age", STANDBY, "There is no good vault backup."),
        (
            "backup-copied",
            STANDBY,
            "The newest good backup, vault-snapshot-20261122T020000Z, has no good copy here.",
        ),
    ]
    assert found.ages[0].backup_seconds == 3600
    assert f"  {ahead.id}  ahead  " in as_text(found, every_backup=False, colour=False)


def test_a_backup_whose_copy_is_not_there_is_not_good() -> None:
    older = row_of(STARTED - timedelta(hours=2))
    (check,) = bad(report(house(region(), region(STANDBY, catalog=[older])), NOW))
    assert check.said == "The newest good backup, vault-snapshot-20261122T020000Z, has no good copy here."


def test_an_object_that_is_gone_is_not_good() -> None:
    (check,) = bad(judged(stored="k.enc is not in mailark-backups"))
    assert (check.name, check.said) == ("backup-stored", "k.enc is not in mailark-backups.")


@pytest.mark.parametrize(
    ("tested", "said"),
    [
        (None, "No fresh backup has been restored as a test."),
        (
            RestoreTested(NOW - timedelta(days=8), None),
            "The newest restore test of a fresh backup is 192 h old, and a week is good.",
        ),
    ],
)
def test_a_restore_test_that_is_too_old_or_was_never_made_is_not_good(tested: RestoreTested | None, said: str) -> None:
    assert [check.said for check in bad(judged(tested=tested))] == [said]


def test_a_night_that_failed_is_not_good_and_says_what_to_do() -> None:
    failed = dataclasses.replace(RAN, status="failed", code="vault-sealed", sentence="It is.", hint="Restart it.")
    (check,) = bad(judged(ran=[failed]))
    assert (check.said, check.hint) == ("The last vault_backup failed: vault-sealed.", "Restart it.")


@pytest.mark.parametrize("scenario", sorted(IN_BOTH_REGIONS))
def test_what_starts_by_itself_in_the_standby_too_and_failed_there_is_not_good(scenario: str) -> None:
    failed = dataclasses.replace(RAN, scenario=scenario, status="failed", code="c", hint="Look into it.")
    (check,) = bad(report(house(region(), region(STANDBY, ran=[failed])), NOW))
    assert (check.name, check.region, check.verdict) == ("last-run", STANDBY, "not good")
    assert (check.said, check.hint) == (f"The last {scenario} failed: c.", "Look into it.")


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.keys() - IN_BOTH_REGIONS))
def test_what_somebody_once_started_in_the_standby_is_history_there(scenario: str) -> None:
    failed = dataclasses.replace(RAN, scenario=scenario, status="failed", code="c")
    assert report(house(region(), region(STANDBY, ran=[failed])), NOW).verdict == "good"


def test_a_recovery_that_failed_is_history() -> None:
    failed = dataclasses.replace(RAN, scenario="vault_restore", status="failed", code="no-backup-on-date")
    assert judged(ran=[failed]).verdict == "good"


def test_a_rule_that_is_off_is_not_good_and_the_hint_turns_it_on() -> None:
    (check,) = bad(judged(rules=RULES | {"mailark-vault-backup": False}))
    assert check.said == "The rule mailark-vault-backup is off."
    assert check.hint == "Turn it on: aws events enable-rule --region eu-central-1 --name mailark-vault-backup"


def test_a_rule_that_is_gone_is_not_good_in_the_standby_either() -> None:
    facts = house(region(), region(STANDBY, rules={"mailark-backup-watch": False}))
    assert {check.said for check in bad(report(facts, NOW))} == {
        "The rule mailark-backup-watch is off.",
        "The rule mailark-staging-emptying does not exist.",
        *(f"The rule mailark-{name} does not exist." for name in ("audit-signing", "audit-verification")),
        "The rule mailark-failed-executions does not exist.",
    }


def test_an_address_that_never_confirmed_is_not_good() -> None:
    pending = Subscription("email", "oncall@example.net", confirmed=False)
    (check,) = bad(judged(contacts={"operations": [pending]}))
    assert check.said == "email oncall@example.net on operations is not confirmed, and hears nothing."
    (check,) = bad(judged(contacts={"security": []}))
    assert check.said == "Nobody is subscribed to security."


def test_a_function_that_cannot_run_is_not_good() -> None:
    (check,) = bad(judged(functions={"verify_backup": "it does not exist", "copy_backup": ""}))
    assert check.said == "The function of verify_backup cannot run: it does not exist."


# --- the alarms -------------------------------------------------------------------------------------------

BACKUPS, TESTS = backup_alarm("vault"), restore_test_alarm("vault")


def with_alarm(name: str, alarm: Alarm | None, region_name: str = PRIMARY) -> list[Check]:
    """What is bad when one alarm of a region is another, or is not there."""
    there = region(region_name)
    assert not isinstance(there.alarms, Unanswered)
    others = {each: found for each, found in there.alarms.items() if each != name}
    changed = dataclasses.replace(there, alarms=others | ({name: alarm} if alarm else {}))
    return bad(report(house(changed, region(STANDBY)) if region_name == PRIMARY else house(region(), changed), NOW))


@pytest.mark.parametrize(
    ("name", "where", "cure"),
    [
        (BACKUPS, PRIMARY, "If backup-age is not good either, do what it says."),
        (BACKUPS, STANDBY, "If backup-age is not good either, do what it says."),
        (TESTS, PRIMARY, "If restore-test-age is not good either, do what it says."),
        (UNDELIVERED_ALARM, STANDBY, "Look into the queue mailark-undelivered-events"),
    ],
)
def test_an_alarm_that_rings_is_not_good_and_says_what_to_do(name: str, where: str, cure: str) -> None:
    (check,) = with_alarm(name, RINGING, where)
    assert (check.name, check.region, check.verdict) == ("alarms", where, "not good")
    assert check.said == f"The alarm {name} rings."
    assert (check.hint or "").startswith(cure)


def test_an_alarm_that_still_rings_after_the_cure_tells_so() -> None:
    (check,) = with_alarm(BACKUPS, RINGING)
    assert "it rings for up to three hours after the cure" in (check.hint or "")
    assert "mailark-backup-watch" in (check.hint or "")


def test_an_alarm_that_is_not_there_is_not_good_however_many_others_there_are() -> None:
    (check,) = with_alarm(BACKUPS, None, STANDBY)
    assert (check.region, check.verdict) == (STANDBY, "not good")
    assert (check.said, check.hint) == (f"There is no alarm {BACKUPS}.", "Run `cdk deploy --all`.")
    assert [each.said for each in bad(judged(alarms={}))] == [
        f"There is no alarm {name}." for name in (BACKUPS, TESTS, UNDELIVERED_ALARM)
    ]


def test_the_age_of_restore_tests_is_asked_of_no_alarm_in_the_standby() -> None:
    assert TESTS in expected_alarms(tested_here=True)
    assert TESTS not in expected_alarms(tested_here=False)


def test_an_alarm_that_is_silenced_is_not_good() -> None:
    (check,) = with_alarm(BACKUPS, Alarm("OK", speaks=False))
    assert check.said == f"The alarm {BACKUPS} tells nobody: its actions are off."


def test_an_alarm_that_is_silenced_while_it_rings_is_told_as_both() -> None:
    assert [check.said for check in with_alarm(BACKUPS, Alarm("ALARM", speaks=False))] == [
        f"The alarm {BACKUPS} tells nobody: its actions are off.",
        f"The alarm {BACKUPS} rings.",
    ]


def test_an_alarm_that_has_judged_nothing_yet_never_passes_and_is_not_called_bad() -> None:
    (check,) = with_alarm(UNDELIVERED_ALARM, Alarm("INSUFFICIENT_DATA", speaks=True))
    assert check.verdict == "unknown"
    assert check.said == f"The alarm {UNDELIVERED_ALARM} has judged nothing yet."
    assert "some minutes after a deployment" in (check.hint or "")


def test_an_alarm_of_somebody_else_is_not_judged() -> None:
    assert with_alarm("mailark-of-our-own", RINGING) == []


# --- keys and Vault ---------------------------------------------------------------------------------------


def test_a_key_that_is_to_be_deleted_or_refuses_is_not_good() -> None:
    keys = {"backup": Key("PendingDeletion", used=False), "seal": Key("Enabled", used=False)}
    assert [check.said for check in bad(judged(keys=keys))] == [
        "The key backup is PendingDeletion.",
        "The key seal refuses to work.",
    ]


def test_a_key_that_these_credentials_may_not_use_is_skipped_and_not_passed() -> None:
    keys = {
        "backup": Key("Enabled", Unanswered("only Mailark's own functions may use them", refused=True)),
        "evidence": Key("Disabled", Unanswered("only Mailark's own functions may use them", refused=True)),
        "seal": Key("Enabled", used=True),
    }
    assert [(check.verdict, check.said) for check in bad(judged(keys=keys))] == [
        ("not good", "The key evidence is Disabled."),
        (
            "skipped",
            "These keys are enabled; whether they work was not tried: backup "
            "(only Mailark's own functions may use them).",
        ),
    ]


def test_a_sealed_vault_is_not_good() -> None:
    facts = house(vault=VaultFacts(problem="Vault at https://v is sealed.", hint="Restart it."))
    assert [(c.name, c.verdict, c.hint) for c in bad(report(facts, NOW))] == [("vault", "not good", "Restart it.")]


def test_a_vault_out_of_reach_is_skipped_where_it_is_in_a_network_and_not_good_where_it_is_public() -> None:
    vault = VaultFacts(unreached="Vault at https://v does not answer")
    (check,) = bad(report(house(vault=vault), NOW))
    assert check.verdict == "not good"
    facts = house(vault=vault, estate=parse_estate(ESTATE + NETWORK))
    assert [(c.verdict, report(facts, NOW).verdict) for c in bad(report(facts, NOW))] == [("skipped", "good")]


def test_a_staging_vault_that_is_sealed_or_has_no_leader_is_not_good() -> None:
    facts = house(staging=VaultFacts(problem="Vault at https://s is sealed.", hint="Restart it."))
    (check,) = bad(report(facts, NOW))
    assert (check.name, check.region, check.verdict) == ("staging-vault", None, "not good")
    assert (check.said, check.hint) == ("Vault at https://s is sealed.", "Restart it.")


def test_a_staging_vault_out_of_reach_is_judged_as_the_live_one_is() -> None:
    staging = VaultFacts(unreached="Vault at https://s does not answer")
    (check,) = bad(report(house(staging=staging), NOW))
    assert (check.name, check.verdict) == ("staging-vault", "not good")
    assert check.said == "The staging Vault was not reached from this machine: Vault at https://s does not answer."
    assert "no restore can be tested" in (check.hint or "")
    facts = house(staging=staging, estate=parse_estate(ESTATE + NETWORK))
    (check,) = bad(report(facts, NOW))
    assert (check.verdict, report(facts, NOW).verdict) == ("skipped", "good")
    assert check.hint == "mailark-vault-restore-test reaches it from the estate's network."


def test_two_estates_are_one_too_many() -> None:
    (check,) = bad(report(house(same_estate=False), NOW))
    assert check.said == "The two regions have different estates."


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
