"""What `python -m lambdas.status` asks for is what is deployed: names, rules, alarms."""

from infra.names import KEYS
from infra.names import SIGNING_KEYS as SIGNING
from infra.schedule import FOLLOWS, SCHEDULES
from lambdas.adapters.inspection import SEALING_KEYS, SIGNING_KEYS, TOPICS
from lambdas.domain.alarms import expected_alarms
from lambdas.domain.estate import parse_estate
from lambdas.domain.operation import machine_name
from lambdas.domain.scenario_inputs import ScheduledInput
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.status_checks import DETECTION_RULES, FAILURE_RULE, IN_BOTH_REGIONS
from tests.infra.templates import APP_STACKS, ROOT, House


def test_it_asks_for_every_key_and_uses_each_for_what_it_is() -> None:
    assert {*SEALING_KEYS, *SIGNING_KEYS} == set(KEYS)
    assert set(SIGNING_KEYS) == set(SIGNING)


def test_it_uses_a_sealing_key_for_a_purpose_that_a_policy_knows(house: House) -> None:
    text = house.stacks["MailarkDataPrimary"].text
    for context in SEALING_KEYS.values():
        assert f'"kms:EncryptionContext:purpose": "{context["purpose"]}"' in text


def test_it_expects_on_what_is_deployed_on() -> None:
    scheduled = {name for name, scenario in SCENARIOS.items() if issubclass(scenario.input, ScheduledInput)}
    assert scheduled == {*SCHEDULES, *FOLLOWS}
    assert {*FOLLOWS, *(name for name, cron in SCHEDULES.items() if cron.in_both_regions)} == IN_BOTH_REGIONS


def test_the_alarms_that_it_expects_in_a_region_are_those_that_are_deployed_there(house: House) -> None:
    estate = parse_estate((ROOT / "estate.yaml").read_text())
    for stack in APP_STACKS:
        deployed = {each["AlarmName"] for each in house.stacks[stack].properties("AWS::CloudWatch::Alarm").values()}
        assert (
            deployed
            == expected_alarms(
                estate.kinds, tested_here=stack == "MailarkPrimary", watched=estate.credentials is not None
            ).keys()
        )


def test_no_alarm_stays_without_a_judgement_for_want_of_data(house: House) -> None:
    """So one without is of a fresh deployment, which the status says."""
    for stack in APP_STACKS:
        for alarm in house.stacks[stack].properties("AWS::CloudWatch::Alarm").values():
            assert alarm["TreatMissingData"] in ("breaching", "notBreaching")


def test_the_rules_and_topics_that_it_asks_for_have_the_names_that_are_deployed(house: House) -> None:
    for stack in APP_STACKS:
        template = house.stacks[stack]
        rules = {rule["Name"] for rule in template.properties("AWS::Events::Rule").values()}
        assert rules == {FAILURE_RULE, *DETECTION_RULES, *(machine_name(name) for name in (*SCHEDULES, *FOLLOWS))}
        topics = {topic["TopicName"] for topic in template.properties("AWS::SNS::Topic").values()}
        assert topics == {f"mailark-{topic}" for topic in TOPICS}
