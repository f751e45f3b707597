"""What would fail now: each check of the status, when what it looks at is not as it should be."""

import dataclasses
from datetime import timedelta

import msgspec
import pytest

from lambdas.domain.alarms import UNDELIVERED_ALARM, backup_alarm, expected_alarms, restore_test_alarm
from lambdas.domain.backup import CopyStatus
from lambdas.domain.estate_database import SecondStore
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.status import Report, report
from lambdas.domain.status_check import Check
from lambdas.domain.status_checks import IN_BOTH_REGIONS
from lambdas.domain.status_facts import (
    Alarm,
    Key,
    RestoreTested,
    Subscription,
    Unanswered,
)
from lambdas.domain.status_text import as_text
from tests.domain.builders import STARTED, row_of
from tests.domain.status_house import (
    NEEDING_A_DATABASE,
    NOW,
    OFF_IN_STANDBY,
    PRIMARY,
    RAN,
    RINGING,
    RULES,
    STANDBY,
    WITH_DATABASE,
    backups,
    bad,
    house,
    house_without_database,
    judged,
    region,
    region_without_database,
)

# --- each check -------------------------------------------------------------------------------------------


KINDS = ("vault", "database")
of_both = pytest.mark.parametrize("kind", KINDS)


def _but(kind: str, fact: object) -> dict[str, object]:
    """Of the other kind nothing is wrong; of this one, `fact`."""
    good = region()
    both = good.stored if isinstance(fact, str) else good.tested
    return {**both, kind: fact}


def test_a_backup_over_25_hours_is_not_good() -> None:
    old = [*backups("database"), row_of(STARTED - timedelta(hours=25))]
    (check,) = bad(report(house(region(), region(STANDBY, catalog=old)), NOW))[:1]
    assert (check.name, check.region, check.verdict) == ("backup-age", STANDBY, "not good")
    assert check.said == (
        "The newest good vault backup, vault-snapshot-20261121T010000Z, is 26 h old, and at most 25 h are good."
    )
    assert "Start mailark-vault-backup by hand" in (check.hint or "")


def test_a_database_whose_backups_fail_is_not_good_though_vaults_are_good() -> None:
    old = [row_of(), row_of(STARTED - timedelta(days=4), "database")]
    found = report(house(region(catalog=old), region(STANDBY, catalog=old)), NOW)
    assert [(check.name, check.region, check.verdict) for check in bad(found)] == [
        ("backup-age", PRIMARY, "not good"),
        ("backup-age", STANDBY, "not good"),
    ]
    check = bad(found)[0]
    assert check.said == (
        "The newest good database backup, smtpy_20261118_020000.sql.gz, is 4 days old, and at most 25 h are good."
    )
    assert "Start mailark-database-backup by hand" in (check.hint or "")


def test_no_good_backup_is_not_good() -> None:
    found = judged(catalog=[row_of(proof="stored"), row_of(series="pre-restore")])
    assert [check.said for check in bad(found)] == [
        "There is no good vault backup.",
        "There is no good database backup.",
    ]


def test_a_backup_that_is_dated_in_the_future_is_not_good_and_hides_nothing() -> None:
    """What is asked of the newest backup is asked of the newest that has an age."""
    ahead, dump = row_of(NOW + timedelta(days=1)), backups("database")
    found = report(house(region(catalog=[ahead, *backups()]), region(STANDBY, catalog=[ahead, *dump])), NOW)
    told = "vault-snapshot-20261123T030000Z is dated in the future, and a recovery takes it for the newest."
    assert [(check.name, check.region, check.said) for check in bad(found)] == [
        ("backup-age", PRIMARY, told),
        ("backup-age", STANDBY, told),
        ("backup-age", STANDBY, "There is no good vault backup."),
        (
            "backup-copied",
            STANDBY,
            "The newest good vault backup, vault-snapshot-20261122T020000Z, has no good copy here.",
        ),
    ]
    assert found.ages[0].backup_seconds == 3600
    assert f"  {ahead.id}  ahead  " in as_text(found, every_backup=False, colour=False)


@pytest.mark.parametrize(
    ("kind", "backup_id"),
    [("vault", "vault-snapshot-20261122T020000Z"), ("database", "smtpy_20261122_023000.sql.gz")],
)
def test_a_backup_whose_copy_is_not_there_is_not_good(kind: str, backup_id: str) -> None:
    """One of the other kind does not stand in for it, however new it is."""
    (newest,) = backups(kind)
    there = [row_of(STARTED - timedelta(hours=2), kind), *(row for row in backups() if row != newest)]
    (check,) = bad(report(house(region(), region(STANDBY, catalog=there)), NOW))
    assert (check.name, check.region) == ("backup-copied", STANDBY)
    assert check.said == f"The newest good {kind} backup, {backup_id}, has no good copy here."
    assert f"Read the last mailark-{kind}-backup:" in (check.hint or "")


_STORE = SecondStore("https://s3.example.org", "us-east-1", "offsite", "arn:aws:secretsmanager:eu-central-1:1:secret:s")


def _in_second_store(status: CopyStatus) -> Report:
    """The report of a house that names a second store, by what became of the newest dump's copy there."""
    (vault,), (dump,) = backups("vault"), backups("database")
    estate = WITH_DATABASE
    assert estate.database is not None
    named = msgspec.structs.replace(estate, database=msgspec.structs.replace(estate.database, second_store=_STORE))
    here = region(catalog=[dataclasses.replace(dump, second_copy=status), vault])
    return report(house(here, region(STANDBY), estate=named), NOW)


@pytest.mark.parametrize("status", ["pending", "failed", "none"])
def test_a_dump_whose_copy_in_the_second_store_is_not_good_is_not_good(status: CopyStatus) -> None:
    (check,) = bad(_in_second_store(status))
    assert (check.name, check.region, check.verdict) == ("second-copy", PRIMARY, "not good")
    assert check.said == (
        "The newest good database backup, smtpy_20261122_023000.sql.gz, is not known to be in the second store "
        f"({status})."
    )
    assert "Read the last mailark-database-backup:" in (check.hint or "")


def test_a_dump_in_the_second_store_is_good_and_without_such_a_store_nothing_is_said_of_it() -> None:
    found = _in_second_store("intact")
    assert bad(found) == []
    assert [check.region for check in found.checks if check.name == "second-copy"] == [PRIMARY]
    assert [check for check in judged().checks if check.name == "second-copy"] == []


@of_both
def test_an_object_that_is_gone_is_not_good(kind: str) -> None:
    (check,) = bad(judged(stored=_but(kind, "k.enc is not in mailark-backups")))
    assert (check.name, check.said) == ("backup-stored", "k.enc is not in mailark-backups.")
    assert check.hint == f"Restore another backup if you must now; then start mailark-{kind}-backup."


def test_a_database_that_has_gone_from_the_estate_is_not_good_while_its_backups_are_there() -> None:
    """Its alarms and its schedules have gone with it: nobody else would say so."""
    left = region_without_database(STANDBY, catalog=backups())
    (check,) = bad(report(house_without_database(region_without_database(), left), NOW))
    assert (check.name, check.region, check.verdict) == ("left-kind", STANDBY, "not good")
    assert check.said == ("There are database backups, and the estate has no database any more: no new one is made.")
    assert check.hint == (
        "Put database back into the estate and run `cdk deploy --all`; or, if nothing of it is to be protected any "
        "more, delete the rows of its backups from the table mailark-catalog, in both regions."
    )


@of_both
def test_a_restore_test_that_was_never_made_is_not_good(kind: str) -> None:
    (check,) = bad(judged(tested=_but(kind, None)))
    assert check.said == f"No fresh {kind} backup has been restored as a test."
    assert (check.hint or "").startswith(f"Start mailark-{kind}-restore-test by hand, without a backup_id;")


@pytest.mark.parametrize(
    ("kind", "good_days", "said"),
    [
        ("vault", 7, "is 7 days old, and at most a week and an hour are good."),
        ("database", 35, "is 35 days old, and at most 5 weeks and an hour are good."),
    ],
)
def test_a_restore_test_is_good_for_a_week_or_five_and_an_hour(kind: str, good_days: int, said: str) -> None:
    good = NOW - timedelta(days=good_days, hours=1)
    assert judged(tested=_but(kind, RestoreTested(good, None))).verdict == "good"
    (check,) = bad(judged(tested=_but(kind, RestoreTested(good - timedelta(seconds=1), None))))
    assert check.said == f"The newest restore test of a fresh {kind} backup {said}"


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


def test_a_night_of_the_database_that_failed_is_not_good_where_there_is_a_database() -> None:
    failed = dataclasses.replace(RAN, scenario="database_backup", status="failed", code="dump-failed", hint="Look.")
    assert [check.said for check in bad(judged(ran=[failed]))] == ["The last database_backup failed: dump-failed."]
    facts = house_without_database(region_without_database(ran=[failed]), region_without_database(STANDBY))
    assert report(facts, NOW).verdict == "good"


def test_a_recovery_that_failed_is_history() -> None:
    failed = dataclasses.replace(RAN, scenario="vault_restore", status="failed", code="no-backup-on-date")
    assert judged(ran=[failed]).verdict == "good"


def test_a_rule_that_is_off_is_not_good_and_the_hint_turns_it_on() -> None:
    (check,) = bad(judged(rules=RULES | {"mailark-vault-backup": False}))
    assert check.said == "The rule mailark-vault-backup is off."
    assert check.hint == "Turn it on: aws events enable-rule --region eu-central-1 --name mailark-vault-backup"


@pytest.mark.parametrize("scenario", sorted(NEEDING_A_DATABASE))
def test_a_schedule_of_the_database_is_on_where_there_is_one_and_off_where_there_is_none(scenario: str) -> None:
    rule = machine_name(scenario)
    (check,) = bad(judged(rules=RULES | {rule: False}))
    assert check.said == f"The rule {rule} is off."
    without = region_without_database()
    assert not isinstance(without.rules, Unanswered)
    on = dataclasses.replace(without, rules={**without.rules, rule: True})
    found = report(house_without_database(on, region_without_database(STANDBY)), NOW)
    (check,) = [each for each in found.checks if (each.name, each.region) == ("schedules", PRIMARY)]
    assert (check.verdict, check.said) == ("not good", f"The rule {rule} is on, and the estate has no database.")
    assert check.hint == f"Turn it off: aws events disable-rule --region eu-central-1 --name {rule}"


def test_the_nights_of_the_database_are_off_in_the_standby() -> None:
    assert {"mailark-database-backup", "mailark-database-restore-test"} <= OFF_IN_STANDBY.keys()
    assert report(house(), NOW).verdict == "good"


def test_a_rule_that_is_gone_is_not_good_in_the_standby_either() -> None:
    facts = house(region(), region(STANDBY, rules={"mailark-backup-watch": False}))
    assert {check.said for check in bad(report(facts, NOW))} == {
        "The rule mailark-backup-watch is off.",
        *(f"The rule mailark-{name} does not exist." for name in ("audit-signing", "audit-verification")),
        *(f"The rule mailark-{name} does not exist." for name in ("staging-emptying", "database-staging-emptying")),
        *(f"The rule mailark-{name} does not exist." for name in ("services-start", "row-recovery-emptying")),
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
    of_database = (backup_alarm("database"), restore_test_alarm("database"))
    (check,) = with_alarm(BACKUPS, None, STANDBY)
    assert (check.region, check.verdict) == (STANDBY, "not good")
    assert (check.said, check.hint) == (f"There is no alarm {BACKUPS}.", "Run `cdk deploy --all`.")
    assert [each.said for each in bad(judged(alarms={}))] == [
        f"There is no alarm {name}." for name in (BACKUPS, of_database[0], TESTS, of_database[1], UNDELIVERED_ALARM)
    ]
    found = report(house_without_database(region_without_database(alarms={}), region_without_database(STANDBY)), NOW)
    assert [each.said for each in bad(found)] == [
        f"There is no alarm {name}." for name in (BACKUPS, TESTS, UNDELIVERED_ALARM)
    ]


def test_the_age_of_restore_tests_is_asked_of_no_alarm_in_the_standby() -> None:
    tests = {restore_test_alarm(kind) for kind in KINDS}
    assert tests < expected_alarms(KINDS, tested_here=True).keys()
    assert not tests & expected_alarms(KINDS, tested_here=False).keys()


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


# --- keys, and all of it ----------------------------------------------------------------------------------


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


def test_two_estates_are_one_too_many() -> None:
    (check,) = bad(report(house(same_estate=False), NOW))
    assert check.said == "The two regions have different estates."
