"""What would fail now: each check of the status, when what it looks at is not as it should be."""

import dataclasses
from datetime import timedelta

import pytest

from lambdas.domain.alarms import UNDELIVERED_ALARM, backup_alarm, expected_alarms, restore_test_alarm
from lambdas.domain.estate import parse_estate
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.status import report
from lambdas.domain.status_checks import IN_BOTH_REGIONS, Check
from lambdas.domain.status_facts import (
    Alarm,
    Key,
    RestoreTested,
    Subscription,
    Unanswered,
    VaultFacts,
)
from lambdas.domain.status_text import as_text
from tests.domain.builders import ESTATE, STARTED, row_of
from tests.domain.status_house import (
    NOW,
    PRIMARY,
    RAN,
    RINGING,
    RULES,
    STANDBY,
    bad,
    house,
    judged,
    region,
)
from tests.domain.test_estate import NETWORK

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
