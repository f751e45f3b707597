"""What would fail now: each check of the status, judged from the facts.

The check of a fact that could not be had is UNKNOWN: it never passes, and neither does one that was skipped.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from lambdas.domain.ages import (
    BACKUP_LIMIT,
    TEST_LIMITS,
    age_in_words,
    ages_of,
    good_for,
    left_in_words,
    left_kinds,
    newest_good,
    way_back,
)
from lambdas.domain.alarms import expected_alarms
from lambdas.domain.approval import Approval, can_be_decided
from lambdas.domain.backup import CatalogRow
from lambdas.domain.estate import Estate
from lambdas.domain.operation import machine_name
from lambdas.domain.scenario_inputs import ScheduledInput
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.status_check import REFUSED, SILENT, Check, Verdict
from lambdas.domain.status_facts import (
    Alarm,
    Facts,
    Key,
    Ran,
    RegionFacts,
    RestoreTested,
    Subscription,
    Unanswered,
    known,
)
from lambdas.domain.status_servers import server_checks
from lambdas.domain.suspect import RESPONSE_RULE, SWEEP_RULE
from lambdas.domain.timeline import in_words

T = TypeVar("T")

FAILURE_RULE = "mailark-failed-executions"
DETECTION_RULES = (RESPONSE_RULE, SWEEP_RULE)
IN_BOTH_REGIONS = {
    *("staging_emptying", "services_start", "database_staging_emptying", "row_recovery_emptying"),
    *("backup_watch", "audit_signing", "audit_verification"),
}
"""What starts by itself in the standby too."""


def checks(facts: Facts, now: datetime) -> Iterator[Check]:
    """Every check of a house: what is true of it whole, then each region that answered, and the estate's servers."""
    estate, kinds = facts.estate, facts.estate.kinds
    for region, why in facts.silent.items():
        hint = f"If it stays so, recover from the other region. {SILENT}"
        yield Check("region", region, "unknown", f"The region does not answer: {why}.", hint)
    for region, code in facts.passed_over.items():
        said = f"--region names it, and it gave no estate ({code}): all else is of the estate in {facts.read_from}."
        hint = f"If that is not the one that you mean, name its primary or standby. {SILENT}"
        yield Check("region", region, "unknown", said, hint)
    if not facts.same_estate:
        hint = "Make them equal: `cdk deploy --all` with the right estate.yaml writes both."
        yield Check("estate", None, "not good", "The two regions have different estates.", hint)
    newest: dict[str, str] = {}
    for each in facts.regions:
        primary = each.region == estate.regions.primary
        for kind in kinds:
            yield from _of(each, "backup-age", each.catalog, partial(_backup_age, kind=kind, now=now))
            yield from _of(each, "backup-stored", each.stored[kind], partial(_stored, kind=kind))
            if primary:
                row = newest_good((row for row in known(each.catalog, []) if row.kind == kind), now)
                newest |= {kind: row.id} if row else {}
                if kind == "database" and row and estate.database and estate.database.second_store:
                    yield from _of(each, "second-copy", row, _second_copy)
                yield from _of(each, "restore-test-age", each.tested[kind], partial(_test_age, kind=kind, now=now))
            elif kind in newest:
                yield from _of(each, "backup-copied", each.catalog, partial(_copied, kind=kind, newest=newest[kind]))
        for kind in left_kinds(kinds, known(each.catalog, [])):
            said = f"{left_in_words(kind).capitalize()}."
            yield Check("left-kind", each.region, "not good", said, way_back(kind))
        mine = _by_itself(kinds, primary)
        yield from _of(each, "last-run", each.ran, partial(_last_runs, mine=mine))
        yield from _of(each, "approvals", each.waiting, partial(_approvals, now=now))
        yield from _of(each, "schedules", each.rules, partial(_rules, region=each.region, mine=mine, estate=estate))
        yield from _of(each, "functions", each.functions, _functions)
        yield from _of(each, "alarms", each.alarms, partial(_alarms, estate=estate, primary=primary))
        yield from _of(each, "contacts", each.contacts, _contacts)
        yield from _of(each, "keys", each.keys, _keys)
    yield from server_checks(facts)


Found = tuple[Verdict, str, str | None]


def _of(region: RegionFacts, name: str, fact: T | Unanswered, judge: Callable[[T], Iterable[Found]]) -> Iterator[Check]:
    if isinstance(fact, Unanswered):
        hint = REFUSED if fact.refused else SILENT
        yield Check(name, region.region, "unknown", f"It could not be told: {fact.why}.", hint)
        return
    for verdict, said, cure in judge(fact):
        yield Check(name, region.region, verdict, said, cure)


def _good(said: str) -> Found:
    return "good", said, None


def _backup_age(rows: Sequence[CatalogRow], kind: str, now: datetime) -> Iterator[Found]:
    ages, machine = ages_of(kind, rows, None, now), machine_name(f"{kind}_backup")
    hint = f"Start {machine} by hand in the primary region; its alert or its record says why the last one failed."
    for backup_id in ages.dated_ahead:
        cure = "Until then name another backup in a recovery, with backup_id; and find out whose clock was wrong."
        yield "not good", f"{backup_id} is dated in the future, and a recovery takes it for the newest.", cure
    if ages.backup_seconds is None:
        yield "not good", f"There is no good {kind} backup.", hint
        return
    said = f"The newest good {kind} backup, {ages.backup_id}, is {age_in_words(ages.backup_seconds)} old"
    if ages.backup_seconds > BACKUP_LIMIT:
        yield "not good", f"{said}, and at most {in_words(BACKUP_LIMIT)} are good.", hint
    else:
        yield _good(f"{said}.")


def _stored(problem: str, kind: str) -> Iterator[Found]:
    if problem:
        hint = f"Restore another backup if you must now; then start {machine_name(f'{kind}_backup')}."
        yield "not good", f"{problem}.", hint
    else:
        yield _good(
            f"The newest good {kind} backup lies in S3 in its version and size, and its manifest in its version."
        )


def _copied(rows: Sequence[CatalogRow], kind: str, newest: str) -> Iterator[Found]:
    if any(row.id == newest and row.is_good for row in rows):
        yield _good(f"The newest good {kind} backup, {newest}, is copied here and proved.")
    else:
        machine = machine_name(f"{kind}_backup")
        hint = f"Read the last {machine}: its copy failed, or it runs still. Start it again."
        yield "not good", f"The newest good {kind} backup, {newest}, has no good copy here.", hint


def _second_copy(newest: CatalogRow) -> Iterator[Found]:
    said = f"The newest good database backup, {newest.id}, is"
    if newest.second_copy == "intact":
        yield _good(f"{said} copied to the second store, and read back from there.")
    else:
        machine = machine_name("database_backup")
        hint = f"Read the last {machine}: that copy failed or never came, or it runs still. Start it again."
        yield "not good", f"{said} not known to be in the second store ({newest.second_copy}).", hint


def _test_age(tested: RestoreTested | None, kind: str, now: datetime) -> Iterator[Found]:
    hint = (
        f"Start {machine_name(f'{kind}_restore_test')} by hand, without a backup_id; "
        f"only a green one shows that fresh {kind} backups can be restored."
    )
    if tested is None:
        yield "not good", f"No fresh {kind} backup has been restored as a test.", hint
        return
    seconds = (now - tested.ended_at).total_seconds()
    said = f"The newest restore test of a fresh {kind} backup is {age_in_words(seconds)} old"
    if seconds > TEST_LIMITS[kind]:
        yield "not good", f"{said}, and at most {good_for(kind)} and an hour are good.", hint
    else:
        yield _good(f"{said}.")


def _of_no_use(kinds: Collection[str]) -> set[str]:
    """The scenarios of a database, where the estate has none: they would fail."""
    return {name for name, scenario in SCENARIOS.items() if scenario.needs_database and "database" not in kinds}


def _by_itself(kinds: Collection[str], primary: bool) -> list[str]:
    """The scenarios that start by themselves in a region."""
    left_out = _of_no_use(kinds)
    scheduled = [name for name, scenario in SCENARIOS.items() if issubclass(scenario.input, ScheduledInput)]
    return [name for name in scheduled if name not in left_out and (primary or name in IN_BOTH_REGIONS)]


def _last_runs(ran: Sequence[Ran], mine: Collection[str]) -> Iterator[Found]:
    """Of what starts by itself there: a recovery that failed once is history, a night that failed is what holds now."""
    last = [each for each in ran if each.scenario in mine]
    failed = [each for each in last if each.status not in ("running", "succeeded")]
    for each in failed:
        why = f": {each.code}" if each.code else ""
        yield "not good", f"The last {each.scenario} {each.status.replace('_', ' ')}{why}.", each.hint
    if not failed:
        yield _good(f"The last run of each that starts by itself was good ({len(last)} have run).")


def _approvals(waiting: Sequence[Approval], now: datetime) -> Iterator[Found]:
    """An operation that waits as it should is good; what it asks for, the report says."""
    open_ones = [each for each in waiting if can_be_decided(each, now)]
    for each in open_ones:
        yield _good(f"{each.scenario} waits for a person, who decides {each.id}.")
    if not open_ones:
        yield _good("No operation waits for a person.")


def _rules(rules: Mapping[str, bool], region: str, mine: Collection[str], estate: Estate) -> Iterator[Found]:
    watching = DETECTION_RULES if estate.credentials else ()
    wanted = [*(machine_name(name) for name in mine), *watching, FAILURE_RULE]
    wrong = [rule for rule in map(machine_name, sorted(_of_no_use(estate.kinds))) if rules.get(rule)]
    for name in wrong:
        hint = f"Turn it off: aws events disable-rule --region {region} --name {name}"
        yield "not good", f"The rule {name} is on, and the estate has no database.", hint
    for name in wanted:
        if name not in rules:
            yield "not good", f"The rule {name} does not exist.", "Run `cdk deploy --all`."
        elif not rules[name]:
            hint = f"Turn it on: aws events enable-rule --region {region} --name {name}"
            yield "not good", f"The rule {name} is off.", hint
    if not wrong and all(rules.get(name) for name in wanted):
        yield _good(f"What starts by itself is on ({', '.join(wanted)}).")


def _functions(states: Mapping[str, str]) -> Iterator[Found]:
    """`states` by action; an empty text is a function that can run."""
    broken = {action: state for action, state in states.items() if state}
    for action, state in broken.items():
        yield (
            "not good",
            f"The function of {action} cannot run: {state}.",
            "Run `cdk deploy --all`, and read its output.",
        )
    if not broken:
        yield _good(f"All {len(states)} functions can run.")


def _alarms(alarms: Mapping[str, Alarm], estate: Estate, primary: bool) -> Iterator[Found]:
    """Those that the region must have, and no others.

    One that has judged nothing yet is unknown: it is so for some minutes after a deployment, and since every one of
    them takes missing data for good or for bad, none stays so.
    """
    expected = expected_alarms(estate.kinds, tested_here=primary, watched=estate.credentials is not None)
    for name, cure in expected.items():
        alarm = alarms.get(name)
        if alarm is None:
            yield "not good", f"There is no alarm {name}.", "Run `cdk deploy --all`."
            continue
        if not alarm.speaks:
            hint = "Turn its actions on in CloudWatch."
            yield "not good", f"The alarm {name} tells nobody: its actions are off.", hint
        if alarm.state == "ALARM":
            yield "not good", f"The alarm {name} rings.", cure
        elif alarm.state != "OK":
            hint = "It is so for some minutes after a deployment. If it stays so, run `cdk deploy --all`."
            yield "unknown", f"The alarm {name} has judged nothing yet.", hint
    if all(alarms.get(name) == Alarm("OK", speaks=True) for name in expected):
        yield _good(f"All {len(expected)} alarms are there, none rings, and each tells the contacts.")


def _contacts(topics: Mapping[str, Sequence[Subscription]]) -> Iterator[Found]:
    good = True
    for topic, subscriptions in topics.items():
        for each in subscriptions:
            if not each.confirmed:
                good = False
                said = f"{each.protocol} {each.endpoint} on {topic} is not confirmed, and hears nothing."
                yield "not good", said, "Follow the link in the message of SNS, or deploy again to have it sent again."
        if not subscriptions:
            good = False
            yield "not good", f"Nobody is subscribed to {topic}.", "Run `cdk deploy --all`."
    if good:
        yield _good(f"All {sum(map(len, topics.values()))} contacts are confirmed.")


def _keys(keys: Mapping[str, Key]) -> Iterator[Found]:
    unusable = {name: key for name, key in keys.items() if key.state != "Enabled" or key.used is False}
    for name, key in unusable.items():
        problem = "refuses to work" if key.state == "Enabled" else f"is {key.state}"
        hint = "Enable it, or cancel its deletion, at once. Without KMS: docs/break-glass.md."
        yield "not good", f"The key {name} {problem}.", hint
    used = [name for name, key in keys.items() if key.used is True and name not in unusable]
    if used:
        yield _good(f"These keys are enabled and work: {', '.join(used)}.")
    skipped = {name: key.used for name, key in keys.items() if isinstance(key.used, Unanswered)}
    left = [name for name in skipped if name not in unusable]
    if left:
        why = next(use.why for use in skipped.values() if isinstance(use, Unanswered))
        yield "skipped", f"These keys are enabled; whether they work was not tried: {', '.join(left)} ({why}).", None
