"""What is said of the servers of an estate: both Vaults, and both of the database."""

import pytest

from lambdas.domain.estate import parse_estate
from lambdas.domain.status import report
from lambdas.domain.status_check import Check
from lambdas.domain.status_facts import DatabaseFacts, Unanswered, VaultFacts
from tests.domain.builders import DATABASE, ESTATE
from tests.domain.estates import NETWORK
from tests.domain.status_house import NOW, bad, house

IN_NETWORK = parse_estate(ESTATE + DATABASE + NETWORK)

# --- Vault ------------------------------------------------------------------------------------------------


def test_a_sealed_vault_is_not_good() -> None:
    facts = house(vault=VaultFacts(problem="Vault at https://v is sealed.", hint="Restart it."))
    assert [(c.name, c.verdict, c.hint) for c in bad(report(facts, NOW))] == [("vault", "not good", "Restart it.")]


def test_a_vault_out_of_reach_is_skipped_where_it_is_in_a_network_and_not_good_where_it_is_public() -> None:
    vault = VaultFacts(unreached="Vault at https://v does not answer")
    (check,) = bad(report(house(vault=vault), NOW))
    assert check.verdict == "not good"
    facts = house(vault=vault, estate=IN_NETWORK)
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
    facts = house(staging=staging, estate=IN_NETWORK)
    (check,) = bad(report(facts, NOW))
    assert (check.verdict, report(facts, NOW).verdict) == ("skipped", "good")
    assert check.hint == "mailark-vault-restore-test reaches it from the estate's network."


# --- the database -----------------------------------------------------------------------------------------

SERVERS = {
    "database": ("The database at db.example.org:5432", "db-AbCdEf", "mailark-database-backup"),
    "database-staging": (
        "The staging database server at db-staging.example.org:5432",
        "db-staging-AbCdEf",
        "mailark-database-restore-test",
    ),
}
of_each_server = pytest.mark.parametrize("name", SERVERS)


def _with_server(name: str, facts: DatabaseFacts, **changes: object) -> tuple[str, Check]:
    """The verdict on a house, and the check, when one of the database's servers has said this."""
    found = report(house(**{name.replace("-", "_"): facts}, **changes), NOW)
    (check,) = [check for check in found.checks if check.name == name]
    assert bad(found) in ([], [check])
    return found.verdict, check


@of_each_server
def test_a_database_server_that_lets_its_role_in_is_good(name: str) -> None:
    _, check = _with_server(name, DatabaseFacts(major=17))
    said = f"{SERVERS[name][0]} lets its role in: PostgreSQL 17, with a certificate that verifies."
    assert check == Check(name, None, "good", said)


@of_each_server
def test_a_database_server_with_a_problem_is_not_good(name: str) -> None:
    facts = DatabaseFacts(problem="PostgreSQL at h refuses the login of jo (no).", hint="Put it in.")
    assert _with_server(name, facts, estate=IN_NETWORK) == (
        "not good",
        Check(name, None, "not good", "PostgreSQL at h refuses the login of jo (no).", "Put it in."),
    )


@of_each_server
def test_a_database_server_out_of_reach_is_skipped_in_a_network_and_not_good_where_it_is_public(name: str) -> None:
    facts = DatabaseFacts(unreached="PostgreSQL at h:5432 does not answer (no answer)")
    what, _, machine = SERVERS[name]
    verdict, check = _with_server(name, facts)
    assert (verdict, check.verdict) == ("not good", "not good")
    said = f"{what.partition(' at ')[0]} was not reached from this machine: {facts.unreached}."
    assert (check.said, (check.hint or "").partition(" ")[0]) == (said, "Start")
    assert _with_server(name, facts, estate=IN_NETWORK) == (
        "good",
        Check(name, None, "skipped", said, f"{machine} reaches it from the estate's network."),
    )


@of_each_server
def test_a_login_that_was_not_tried_is_never_good(name: str) -> None:
    what, secret, _ = SERVERS[name]
    said = f"{what} answers with a certificate that verifies; its login was not tried:"
    verdict, check = _with_server(name, DatabaseFacts(unproved=Unanswered("these may not", refused=True)))
    assert (verdict, check.verdict, check.said) == ("good", "skipped", f"{said} these may not.")
    assert (check.hint or "").endswith(
        f"may read the secret arn:aws:secretsmanager:eu-central-1:111122223333:secret:{secret}."
    )
    verdict, check = _with_server(name, DatabaseFacts(unproved=Unanswered("no answer")))
    assert (verdict, check.verdict, check.said) == ("unknown", "unknown", f"{said} no answer.")
