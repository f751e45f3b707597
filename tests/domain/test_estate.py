"""What an estate says when it is read."""

from pathlib import Path

import pytest

from lambdas.domain.approval import LONGEST_MINUTES
from lambdas.domain.estate import Approvals, Estate, Heartbeat, Network, Subnetwork, parse_estate
from lambdas.domain.objectives import Objective
from lambdas.domain.scenarios import SCENARIOS
from tests.domain.builders import ESTATE, OFFLINE_KEY
from tests.domain.estates import NETWORK, SUBNETWORK, certificate, plus, refusal_of, with_, with_ca


def test_a_valid_estate_is_read() -> None:
    estate = parse_estate(ESTATE, "estate.yaml", frozenset(SCENARIOS))
    assert estate.name == "example"
    assert (estate.regions.primary, estate.regions.standby) == ("eu-central-1", "eu-west-1")
    assert estate.alerts.operations.sms == ["+4915112345678"]
    assert estate.alerts.security.webhook == ["https://chat.example.net/hook"]
    assert estate.vault.mounts == ["smtp", "vps"]
    assert estate.offline_public_key == OFFLINE_KEY
    assert estate.network is None


def test_the_estate_of_this_repository_is_valid() -> None:
    file = Path(__file__).parents[2] / "estate.yaml"
    assert parse_estate(file.read_text(), file.name, frozenset(SCENARIOS)).name == "example"


def test_a_network_is_read() -> None:
    subnetwork = Subnetwork("vpc-1", ["subnet-1"], ["sg-1"], ["eu-central-1a"])
    assert parse_estate(plus(NETWORK)).network == Network(subnetwork, subnetwork)


def test_one_node_is_all_nodes_unless_the_estate_lists_them() -> None:
    assert parse_estate(ESTATE).vault.all_nodes == ["https://vault.example.org:8200"]
    listed = with_("  canary:", "  nodes: [https://a:8200, https://b:8200]\n  canary:")
    assert parse_estate(listed).vault.all_nodes == ["https://a:8200", "https://b:8200"]


def test_each_region_copies_to_the_other() -> None:
    estate = parse_estate(ESTATE)
    assert estate.other_region("eu-central-1") == "eu-west-1"
    assert estate.other_region("eu-west-1") == "eu-central-1"


def test_a_promise_of_the_estate_goes_before_the_plans() -> None:
    estate = parse_estate(plus("objectives: { vault_restore: { rto_minutes: 15, rpo_hours: 12 } }\n"))
    planned = Objective(rto=1800, rpo=86400)
    assert estate.objective("vault_restore", planned) == Objective(rto=15 * 60, rpo=12 * 3600)
    assert estate.objective("vault_backup", planned) == planned


def test_no_data_at_all_may_be_promised_to_be_lost() -> None:
    estate = parse_estate(plus("objectives: { vault_restore: { rto_minutes: 1, rpo_hours: 0 } }\n"))
    assert estate.objective("vault_restore", Objective(1, 1)).rpo == 0


def test_objectives_are_not_checked_where_no_scenarios_are_known() -> None:
    estate = parse_estate(plus("objectives: { later: { rto_minutes: 15, rpo_hours: 12 } }\n"))
    assert list(estate.objectives) == ["later"]


def test_the_stand_in_is_the_same_vault_at_the_addresses_of_the_staging_one() -> None:
    vault = parse_estate(ESTATE).vault
    assert vault.stand_in.all_nodes == ["https://staging.example.net"]
    assert vault.stand_in.ca == vault.ca
    assert (vault.stand_in.seal, vault.stand_in.mounts, vault.stand_in.canary) == (
        vault.seal,
        vault.mounts,
        vault.canary,
    )


def test_the_hosts_of_both_vaults_may_open_the_seal_key() -> None:
    other = "arn:aws:iam::111122223333:role/staging-host"
    text = with_("https://staging.example.net", f'https://staging.example.net, host_principal: "{other}"')
    assert parse_estate(text).vault.host_principals == [other, "arn:aws:iam::111122223333:role/vault-host"]


@pytest.mark.parametrize("seal", ["{ type: shamir }", "{ type: awskms, key_id: mrk-0123456789abcdef0123456789abcdef }"])
def test_other_seals_are_known_too(seal: str) -> None:
    assert isinstance(parse_estate(with_("{ type: static, key_id: k1 }", seal)), Estate)


def test_a_private_ca_is_read() -> None:
    pem = certificate()
    assert parse_estate(with_ca(pem)).vault.ca == pem
    assert parse_estate(with_ca(pem + pem)).vault.ca == pem + pem


def test_an_address_that_only_resembles_a_protected_domain_is_fine() -> None:
    text = with_("oncall@example.net", "oncall@notexample.org")
    assert parse_estate(text).alerts.operations.email == ["oncall@notexample.org"]


@pytest.mark.parametrize(
    "url", ["https://monitor.example.net/ping/0b6c?state=good", "https://monitor.example.net:8443", "https://10.0.0.1/"]
)
def test_a_heartbeat_is_a_url_of_a_monitor(url: str) -> None:
    heartbeat = parse_estate(plus(f"heartbeat: {{ url: '{url}' }}\n")).heartbeat
    assert heartbeat == Heartbeat(url)


def test_nobody_approves_their_own_and_everybody_has_an_hour_unless_the_estate_says_otherwise() -> None:
    assert parse_estate(ESTATE).approvals == Approvals(own=False, expires_minutes=60)
    own = parse_estate(plus("approvals: { own: true, expires_minutes: 15 }\n")).approvals
    assert own == Approvals(own=True, expires_minutes=15)


@pytest.mark.parametrize("minutes", [0, LONGEST_MINUTES + 1])
def test_an_approval_waits_for_some_time_and_not_longer_than_its_state_machine(minutes: int) -> None:
    assert "approvals.expires_minutes: expected a number of at" in refusal_of(
        plus(f"approvals: {{ expires_minutes: {minutes} }}\n")
    )
    assert parse_estate(plus(f"approvals: {{ expires_minutes: {LONGEST_MINUTES} }}\n"))


def test_a_group_of_keys_may_be_merged_into_another() -> None:
    text = plus(f"network:\n  primary: &one {SUBNETWORK}\n  standby: {{ <<: *one, vpc_id: vpc-2 }}\n")
    network = parse_estate(text).network
    assert network is not None
    assert (network.standby.vpc_id, network.standby.subnet_ids) == ("vpc-2", ["subnet-1"])
