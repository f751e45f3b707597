"""A damaged database: restored beside, proved, put in its place, and taken back; nothing live is touched before."""

import json
from typing import Any

import psycopg
import pytest

from lab.damage import damage_pages
from lab.forwarding_service import DATABASE, SERVICE
from lambdas.adapters.database_facts import fix_settings, table_facts
from tests.scenarios.house import House, broken, failure


@pytest.fixture(scope="module")
def backed_up(house: House) -> dict[str, tuple[int, str]]:
    """What the database held when its newest good backup was made."""
    house.run_well("database_backup", {"reason": "before the disk fails"})
    return house.database_fingerprint()


def _names(house: House) -> set[str]:
    return {name for (name,) in house.lab.database.server.query("select datname from pg_database")}


def _kept(house: House) -> list[str]:
    return sorted(name for name in _names(house) if "_corrupt_" in name)


def test_a_sound_database_is_not_restored_over(house: House, backed_up: dict[str, Any]) -> None:
    finished = house.run("database_corruption", {"reason": "somebody saw an error"})
    assert failure(finished).code == "database-sound"
    assert house.audit_events(finished.arn) == [
        "operation_started",
        "database_assessed",
        "database_restoration_failed",
    ]
    assert house.states_entered(finished.arn) == ["BeginOperation", "AssessDatabase", "FailOperation", "Failed"]
    assert house.healthy()


def test_damaged_pages_are_found_and_the_database_comes_back_proved(house: House, backed_up: dict[str, Any]) -> None:
    server = house.lab.database.server
    damage_pages(server)
    with pytest.raises(psycopg.errors.DataCorrupted):
        server.query("select count(length(body)) from messages", DATABASE)

    finished = house.run_well("database_corruption", {"reason": "the server reports invalid pages"})

    details = finished.output["details"]
    assert (details["verdict"], details["passed_over"]) == ("damaged", [])
    assert ("tables", "public.messages") in {(each["check"], each["relation"]) for each in details["findings"]}
    assert house.database_fingerprint() == backed_up
    assert set(house.services().values()) == {"running"}
    assert house.healthy()
    assert details["kept_as"] in _names(house)
    assert house.catalog()[details["backup_id"]].proof == "proven"
    saved = house.catalog()[details["saved_as"]]
    assert (saved.series, saved.proof) == ("pre-restore", "intact")
    assert finished.output["rto"]["measured"] < finished.output["rto"]["objective"]
    assert house.audit_events(finished.arn) == [
        "operation_started",
        "database_assessed",
        "database_restored_from_backup",
    ]
    assert house.audit_faults("platform#database") == []


def test_a_proof_that_fails_leaves_the_live_database_and_its_services_as_they_were(
    house: House, backed_up: dict[str, Any]
) -> None:
    before, kept = house.database_fingerprint(), _kept(house)
    with broken(house, "verify_database"):
        finished = house.run("database_corruption", {"reason": "a drill", "even_if_sound": True})
    assert "VerifyDatabase" in failure(finished).sentence
    assert "database_assessed" in house.audit_events(finished.arn)
    assert house.database_fingerprint() == before
    assert _kept(house) == kept
    assert "mailark_restored_smtpy" not in _names(house)
    assert set(house.services().values()) == {"running"}
    assert house.healthy()


def test_mail_goes_on_when_the_server_cannot_take_the_dump(house: House, backed_up: dict[str, Any]) -> None:
    """The staging server stands for the fresh one, and has lost a role."""
    before, fresh = house.database_fingerprint(), house.lab.database.staging
    fresh.query(f"alter role {SERVICE} rename to elsewhere")
    try:
        given = {"reason": "the disk is dying", "even_if_sound": True, "on_fresh": True}
        finished = house.run("database_corruption", given)
    finally:
        fresh.query(f"alter role elsewhere rename to {SERVICE}")
    assert failure(finished).code == "target-lacks"
    checked = ["BeginOperation", "AssessDatabase", "ChooseBackup", "VerifyBackup", "CheckRestore"]
    assert house.states_entered(finished.arn) == [*checked, "FailOperation", "Failed"]
    assert set(house.services().values()) == {"running"}
    assert house.healthy()
    assert house.database_fingerprint() == before


def test_services_that_cannot_be_started_after_a_failure_either_are_in_the_alert_and_in_the_record(
    house: House, backed_up: dict[str, Any]
) -> None:
    before = house.database_fingerprint()
    with broken(house, "verify_database"), broken(house, "start_services"):
        finished = house.run("database_corruption", {"reason": "a drill", "even_if_sound": True})
    found, second = failure(finished), "And the services could not be started: The step StartServicesAfterFailure "
    assert found.sentence.startswith("The step VerifyDatabase ")
    assert second in found.sentence
    assert " For the services: " in found.hint
    assert second in house.alert_of(finished.arn).body
    assert json.loads(house.operation(finished.arn)["outcome"])["sentence"] == found.sentence
    assert set(house.services().values()) == {"stopped"}
    house.start_services()
    assert house.healthy()
    assert house.database_fingerprint() == before


def test_one_scenario_takes_the_swap_back(house: House, backed_up: dict[str, Any]) -> None:
    with house.lab.database.server.connect(DATABASE) as session:
        session.execute("delete from organizations where id = (select max(id) from organizations)")
    before = house.database_fingerprint()
    assert before != backed_up
    house.run_well("database_corruption", {"reason": "a drill", "even_if_sound": True})
    assert house.database_fingerprint() == backed_up

    with broken(house, "undo_database_swap"):
        finished = house.run("database_swap_undo", {"reason": "the restored one lacks what came since"})
    assert "UndoDatabaseSwap" in failure(finished).sentence
    assert set(house.services().values()) == {"running"}

    finished = house.run_well("database_swap_undo", {"reason": "once more", "kept_as": _kept(house)[-1]})

    assert house.database_fingerprint() == before
    assert finished.output["details"]["kept_as"] in _names(house)
    assert set(house.services().values()) == {"running"}
    assert house.healthy()


def test_there_is_nothing_to_undo_twice(house: House, backed_up: dict[str, Any]) -> None:
    """What is told, is told before mail stands still."""
    (undone,) = (name for name in _names(house) if "_undone_" in name)
    given = {"reason": "once more", "kept_as": undone.replace("_undone_", "_corrupt_")}
    finished = house.run("database_swap_undo", given)
    assert failure(finished).code == "nothing-to-undo"
    assert house.states_entered(finished.arn) == ["BeginOperation", "CheckSwapUndo", "FailOperation", "Failed"]
    assert house.healthy()


def test_on_a_fresh_server_it_is_restored_and_proved_and_the_services_wait_to_be_pointed_there(
    house: House, backed_up: dict[str, Any]
) -> None:
    """The staging server stands for the fresh one: it is another server, and holds nothing."""
    before, fresh = house.database_fingerprint(), house.lab.database.staging
    given = {"reason": "the disk is dying", "even_if_sound": True, "on_fresh": True}
    finished = house.run_well("database_corruption", given)
    details = finished.output["details"]
    assert details["kept_as"] is None
    assert details["still_to_do"] == (
        f"The services stand still: point them and database.server of the estate to {fresh.host}, take database.fresh "
        "out of the estate, deploy, and start them."
    )
    with fresh.connect(DATABASE) as session:
        fix_settings(session)
        there = {table.title: (table.rows, table.checksum) for table in table_facts(session)}
    assert there == backed_up
    assert set(house.services().values()) == {"stopped"}
    assert house.database_fingerprint() == before, "the live database was touched"
    fresh.drop_database(DATABASE)
    house.start_services()
    assert house.healthy()


def test_after_the_swap_on_a_fresh_server_a_failure_leaves_the_services_standing_and_says_how_they_get_there(
    house: House, backed_up: dict[str, Any]
) -> None:
    before, fresh = house.database_fingerprint(), house.lab.database.staging
    with broken(house, "verify_services"):
        finished = house.run(
            "database_corruption", {"reason": "the disk is dying", "even_if_sound": True, "on_fresh": True}
        )
    states = house.states_entered(finished.arn)
    assert states[-3:] == ["VerifyServicesOnFresh", "FailOperation", "Failed"]
    told = failure(finished).or_else
    assert told is not None
    assert told.startswith("The services stand still, since the database that is for them is on the fresh server: ")
    assert set(house.services().values()) == {"stopped"}
    assert house.database_fingerprint() == before
    # A person who gives the fresh server up says so by starting this, and nothing asks them again.
    house.run_well("services_start", {"reason": "the live server is to be used after all"})
    assert house.healthy()
    fresh.drop_database(DATABASE)
