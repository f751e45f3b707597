"""An estate is read strictly: a mistake is refused with the file, the key, what was expected, and where to look."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lambdas.domain.approval import LONGEST_MINUTES
from lambdas.domain.errors import EstateInvalid
from lambdas.domain.estate import Approvals, Estate, Heartbeat, Network, Subnetwork, parse_estate
from lambdas.domain.objectives import Objective
from lambdas.domain.scenarios import SCENARIOS
from tests.domain.builders import ESTATE, OFFLINE_KEY

HINT = "Next: Correct that line; docs/operating.md describes every key of the estate."

SUBNETWORK = (
    "{ vpc_id: vpc-1, subnet_ids: [subnet-1], security_group_ids: [sg-1], availability_zones: [eu-central-1a] }"
)
NETWORK = f"network:\n  primary: {SUBNETWORK}\n  standby: {SUBNETWORK}\n"


def with_(old: str, new: str, text: str = ESTATE) -> str:
    """The estate with one passage replaced."""
    assert text.count(old) == 1
    return text.replace(old, new)


def plus(more: str) -> str:
    """The estate with more at its end, from line 32 on."""
    return ESTATE + more


def without_key(pem: str) -> str:
    """The estate with another offline key."""
    return ESTATE.partition("offline_public_key")[0] + "offline_public_key: |\n" + _indented(pem, 2)


def with_ca(pem: str) -> str:
    """The estate with a CA bundle for Vault."""
    return with_("  canary:", "  ca: |\n" + _indented(pem, 4) + "  canary:")


def refusal_of(text: str) -> str:
    with pytest.raises(EstateInvalid) as caught:
        parse_estate(text, "estate.yaml", frozenset(SCENARIOS))
    return str(caught.value)


def _indented(text: str, by: int) -> str:
    return "".join(" " * by + line + "\n" for line in text.splitlines())


# --- what is right ----------------------------------------------------------------------------------------


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
    pem = _certificate()
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


def test_no_mistake_in_a_heartbeat_shows_its_url() -> None:
    mistakes = [text for name, (text, _) in MISTAKES.items() if "heartbeat" in name]
    assert len(mistakes) == 9
    for text in mistakes:
        with pytest.raises(EstateInvalid) as caught:
            parse_estate(text)
        assert "untold" not in str(caught.value)


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


# --- what is wrong ----------------------------------------------------------------------------------------

ADDRESS = "an address without a path such as https://vault.example.org:8200"
REGION = "a region such as eu-central-1"
MAIL = "an e-mail address such as ops@example.net"
OUTSIDE = "expected an address outside the protected domain example.org"
TOP_KEYS = (
    "name, regions, alerts, protected_domains, offline_public_key, vault, network, object_lock, heartbeat, database, "
    "approvals, objectives"
)

HEARTBEAT = "heartbeat.url: expected an https:// URL without a user, a fragment or a space"

MISTAKES: dict[str, tuple[str, str]] = {
    # the file
    "an empty file": ("", "the whole file: expected a group of keys, got nothing"),
    "a list": ("- name: example", "the whole file: expected a group of keys, got a list"),
    "only text": ("example", "the whole file: expected a group of keys, got 'example'"),
    "a bracket left open": (
        "name: [a",
        "line 1: this is not YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'",
    ),
    "a tab": (
        "name: a\nregions:\n\tprimary: b",
        "line 3: this is not YAML: while scanning for the next token, "
        "found character '\\t' that cannot start any token",
    ),
    "a control character": ("name: a\nname: b\x07", "line 2: this is not YAML: it holds a character that no text has"),
    "a second document": (
        plus("---\nname: other\n"),
        "line 32: this is not YAML: expected a single document in the stream, but found another document",
    ),
    "a reference to nothing": (
        with_("name: example", "name: *x"),
        "line 1: this is not YAML: found undefined alias 'x'",
    ),
    # keys
    "a key twice": (plus("name: other\n"), "name: this key stands twice, again on line 32"),
    "an inner key twice": (
        with_("  standby: eu-west-1", "  primary: eu-west-1"),
        "primary: this key stands twice, again on line 4",
    ),
    "a number as a key": (plus("1: x\n"), "line 32: expected a key that is text; put it in quotes"),
    "a list as a key": (plus("? [a]\n: x\n"), "line 32: expected a key that is text; put it in quotes"),
    "a mistyped key": (with_("  address:", "  adress:"), "vault.adress: this key is not known (did you mean address?)"),
    "an unknown key": (plus("colour: red\n"), f"colour: this key is not known (known here: {TOP_KEYS})"),
    "a missing key": (with_("name: example\n", ""), "name: this key is required and missing"),
    "a missing inner key": (
        with_("  address: https://vault.example.org:8200\n", ""),
        "vault.address: this key is required and missing",
    ),
    # types
    "text for a list": (with_("[smtp, vps]", "smtp"), "vault.mounts: expected a list, got 'smtp'"),
    "text for a group": (plus("network: vpc-1\n"), "network: expected a group of keys, got 'vpc-1'"),
    "nothing for text": (with_("name: example", "name:"), "name: expected text, got nothing"),
    "a word that YAML takes for true": (
        with_("name: example", "name: on"),
        "name: expected text, got true; put it in quotes",
    ),
    "a date for text": (
        with_("name: example", "name: 2026-11-22"),
        "name: expected text, got 2026-11-22; put it in quotes",
    ),
    "an impossible date for text": (
        with_("name: example", "name: 2026-02-30"),
        "line 1: YAML takes '2026-02-30' for a date or a number that does not exist; put it in quotes",
    ),
    # names
    "a name with a space": (
        with_("name: example", "name: My estate"),
        "name: expected a short name in lower case such as example, got 'My estate'",
    ),
    # Vault
    "http": (
        with_("https://vault", "http://vault"),
        f"vault.address: expected {ADDRESS}, got 'http://vault.example.org:8200'",
    ),
    "an address with a path": (
        with_("org:8200", "org:8200/v1"),
        f"vault.address: expected {ADDRESS}, got 'https://vault.example.org:8200/v1'",
    ),
    "an address with a slash at its end": (
        with_("org:8200", "org:8200/"),
        f"vault.address: expected {ADDRESS}, got 'https://vault.example.org:8200/'",
    ),
    "an address with a line break": (
        with_("address: https://vault.example.org:8200", "address: |\n    https://vault.example.org:8200"),
        f"vault.address: expected {ADDRESS}, got 'https://vault.example.org:8200\\n'",
    ),
    "a node without https": (
        with_("  canary:", "  nodes: [https://a:8200, 'b:8200']\n  canary:"),
        f"vault.nodes[1]: expected {ADDRESS}, got 'b:8200'",
    ),
    "no mounts": (with_("[smtp, vps]", "[]"), "vault.mounts: expected at least 1 entry, got none"),
    "a mount with a slash": (
        with_("[smtp, vps]", "[smtp, vps/]"),
        "vault.mounts[1]: expected the name of a KV v2 mount such as smtp, got 'vps/'",
    ),
    "a canary outside the mounts": (
        with_("canary: smtp/", "canary: dkim/"),
        "vault.canary: expected a path in one of vault.mounts (smtp, vps)",
    ),
    "a canary that is a whole mount": (
        with_("smtp/test-tenant-id/admin", "smtp"),
        "vault.canary: expected a path of the form mount/path such as smtp/test-tenant-id/admin, got 'smtp'",
    ),
    "a canary that matches every path": (
        with_("smtp/test-tenant-id/admin", "smtp/*"),
        "vault.canary: expected a path of the form mount/path such as smtp/test-tenant-id/admin, got 'smtp/*'",
    ),
    "a static seal without its key": (
        with_(", key_id: k1", ""),
        "vault.seal.key_id: the static seal needs the id of its key",
    ),
    "an awskms seal without its key": (
        with_("static, key_id: k1", "awskms"),
        "vault.seal.key_id: the awskms seal needs the id of its key",
    ),
    "an unknown seal": (
        with_("type: static", "type: transit"),
        "vault.seal.type: expected static, awskms or shamir, got 'transit'",
    ),
    "a seal key that is a path": (
        with_("key_id: k1", "key_id: keys/k1"),
        "vault.seal.key_id: expected a key id such as k1, got 'keys/k1'",
    ),
    "a CA that is not PEM": (with_ca("ca.crt"), "vault.ca: expected one or more certificates in PEM"),
    "a CA that is a key": (with_ca(OFFLINE_KEY), "vault.ca: expected one or more certificates in PEM"),
    "a static seal whose key nobody may open": (
        with_("  host_principal: arn:aws:iam::111122223333:role/vault-host\n", ""),
        "vault.host_principal: the static seal needs the role or user that may open its key",
    ),
    "a host that is not an ARN": (
        with_("arn:aws:iam::111122223333:role/vault-host", "vault-host"),
        "vault.host_principal: expected an ARN, got 'vault-host'",
    ),
    "a secret that is not an ARN": (
        with_("  canary:", "  unseal_keys_secret: vault-keys\n  canary:"),
        "vault.unseal_keys_secret: expected an ARN, got 'vault-keys'",
    ),
    # the staging Vault
    "no staging Vault": (
        with_("  staging: { address: https://staging.example.net }\n", ""),
        "vault.staging: this key is required and missing",
    ),
    "a staging Vault that is the live one": (
        with_("https://staging.example.net", '"https://vault.example.org:8200"'),
        "vault.staging.address: expected another Vault than the live one: restore tests overwrite it",
    ),
    "a staging node that is a live one": (
        with_("https://staging.example.net", 'https://staging.example.net, nodes: ["https://vault.example.org:8200"]'),
        "vault.staging.nodes[0]: expected another Vault than the live one: restore tests overwrite it",
    ),
    "a staging CA that is not PEM": (
        with_("https://staging.example.net", "https://staging.example.net, ca: ca.crt"),
        "vault.staging.ca: expected one or more certificates in PEM",
    ),
    "a lock of another kind": (
        with_("name: example", "name: example\nobject_lock: legal-hold"),
        "object_lock: expected governance or compliance, got 'legal-hold'",
    ),
    # regions
    "a bad region": (with_("eu-central-1", "Frankfurt"), f"regions.primary: expected {REGION}, got 'Frankfurt'"),
    "a zone for a region": (with_("eu-west-1", "eu-west-1a"), f"regions.standby: expected {REGION}, got 'eu-west-1a'"),
    "one region twice": (
        with_("eu-west-1", "eu-central-1"),
        "regions.standby: expected another region than regions.primary",
    ),
    # alerts
    "a bad e-mail": (
        with_("oncall@example.net", "oncall"),
        f"alerts.operations.email[0]: expected {MAIL}, got 'oncall'",
    ),
    "no e-mail": (with_("[security@example.net]", "[]"), "alerts.security.email: expected at least 1 entry, got none"),
    "an e-mail under a protected domain": (
        with_("oncall@example.net", "oncall@example.org"),
        f"alerts.operations.email[0]: {OUTSIDE}, got 'oncall@example.org'",
    ),
    "an e-mail under a subdomain of it": (
        with_("[security@example.net]", "[security@example.net, security@Mail.Example.org]"),
        f"alerts.security.email[1]: {OUTSIDE}, got 'security@Mail.Example.org'",
    ),
    "an e-mail under a protected domain with a dot at its end": (
        with_("oncall@example.net", "oncall@example.org."),
        f"alerts.operations.email[0]: {OUTSIDE}, got 'oncall@example.org.'",
    ),
    "a webhook under a protected domain": (
        with_("https://chat.example.net/hook", "https://Chat.example.org:8443/hook"),
        f"alerts.security.webhook[0]: {OUTSIDE}, got 'https://Chat.example.org:8443/hook'",
    ),
    "no channel but e-mail": (
        with_('    sms: ["+4915112345678"]\n', ""),
        "alerts.operations: expected at least one sms or webhook: e-mail may be what has failed",
    ),
    "no channel but e-mail for security": (
        with_("    webhook: [https://chat.example.net/hook]\n", ""),
        "alerts.security: expected at least one sms or webhook: e-mail may be what has failed",
    ),
    "a phone number without quotes": (
        with_('"+4915112345678"', "+4915112345678"),
        "alerts.operations.sms[0]: expected text, got 4915112345678; put it in quotes",
    ),
    "a phone number without its country": (
        with_('"+4915112345678"', '"015112345678"'),
        "alerts.operations.sms[0]: expected a phone number such as +4915112345678, in quotes, got '015112345678'",
    ),
    "a webhook without TLS": (
        with_("https://chat", "http://chat"),
        "alerts.security.webhook[0]: expected an https:// URL, got 'http://chat.example.net/hook'",
    ),
    "a protected domain in capitals": (
        with_("[example.org]", "[Example.org]"),
        "protected_domains[0]: expected a domain such as example.org, got 'Example.org'",
    ),
    # the heartbeat: whatever stands there may be the URL, and is not shown
    "a heartbeat that is a text": (
        plus("heartbeat: https://monitor.example.net/ping/untold\n"),
        "heartbeat: expected a group of keys",
    ),
    "a heartbeat without TLS": (plus("heartbeat: { url: http://monitor.example.net/untold }\n"), HEARTBEAT),
    "a heartbeat without a scheme": (plus("heartbeat: { url: monitor.example.net/untold }\n"), HEARTBEAT),
    "a heartbeat without a host": (plus("heartbeat: { url: https:///untold }\n"), HEARTBEAT),
    "a heartbeat with a user": (plus("heartbeat: { url: https://jo:untold@example.net/ }\n"), HEARTBEAT),
    "a heartbeat of two lines": (plus('heartbeat: { url: "https://example.net/untold\\n" }\n'), HEARTBEAT),
    "a heartbeat without a URL": (plus("heartbeat: {}\n"), "heartbeat.url: this key is required and missing"),
    "a heartbeat on what is protected": (
        plus("heartbeat: { url: https://status.example.org/untold }\n"),
        "heartbeat.url: expected a monitor outside the protected domain example.org",
    ),
    "a heartbeat with another CA than one in PEM": (
        plus("heartbeat: { url: https://monitor.example.net/, ca: untold }\n"),
        "heartbeat.ca: expected one or more certificates in PEM",
    ),
    # objectives
    "an objective for an unknown scenario": (
        plus("objectives: { vault_restor: { rto_minutes: 5, rpo_hours: 1 } }\n"),
        f"objectives.vault_restor: expected the name of a scenario ({', '.join(sorted(SCENARIOS))})",
    ),
    "an objective of 0 minutes": (
        plus("objectives: { vault_restore: { rto_minutes: 0, rpo_hours: 1 } }\n"),
        "objectives.vault_restore.rto_minutes: expected a number of at least 1, got 0",
    ),
    "an objective of less than no data": (
        plus("objectives: { vault_restore: { rto_minutes: 1, rpo_hours: -1 } }\n"),
        "objectives.vault_restore.rpo_hours: expected a number of at least 0, got -1",
    ),
    "half an objective": (
        plus("objectives: { vault_backup: { rto_minutes: 5, rpo_hours: 1 }, vault_restore: { rto_minutes: 5 } }\n"),
        "objectives.vault_restore.rpo_hours: this key is required and missing",
    ),
    "a mistyped objective": (
        plus("objectives: { vault_restore: { rto_minuts: 5, rpo_hours: 1 } }\n"),
        "objectives.vault_restore.rto_minuts: this key is not known (did you mean rto_minutes?)",
    ),
    # network
    "a network with no subnets": (
        plus(NETWORK.replace("[subnet-1]", "[]")),
        "network.primary.subnet_ids: expected at least 1 entry, got none",
    ),
    "a network of one region": (
        plus(f"network:\n  primary: {SUBNETWORK}\n"),
        "network.standby: this key is required and missing",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_place_and_what_was_expected(mistake: str) -> None:
    text, problem = MISTAKES[mistake]
    assert refusal_of(text) == f"estate-invalid: estate.yaml, {problem}.\n{HINT}"


def test_a_mistake_names_the_file_it_is_in() -> None:
    with pytest.raises(EstateInvalid, match=r"^estate-invalid: SSM parameter /mailark/estate, the whole file: "):
        parse_estate("", "SSM parameter /mailark/estate")


# --- the offline key --------------------------------------------------------------------------------------

RSA_KEY = "offline_public_key: expected an RSA public key in PEM of at least 3072 bits"


def test_a_private_key_is_refused_and_not_shown() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    refusal = refusal_of(without_key(pem.decode()))
    problem = f"{RSA_KEY}; this is a private key, keep it offline and replace it"
    assert refusal == f"estate-invalid: estate.yaml, {problem}.\n{HINT}"


def test_a_key_that_is_too_small_is_refused() -> None:
    pem = _public_pem(rsa.generate_private_key(65537, 2048).public_key())
    assert refusal_of(without_key(pem)) == f"estate-invalid: estate.yaml, {RSA_KEY}.\n{HINT}"


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_that_is_not_rsa_is_refused(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
    pem = _public_pem(key.public_key())
    assert refusal_of(without_key(pem)) == f"estate-invalid: estate.yaml, {RSA_KEY}.\n{HINT}"


@pytest.mark.parametrize("pem", ["offline.pem", OFFLINE_KEY.replace("MIIB", "AIIB"), OFFLINE_KEY[:200]])
def test_a_key_that_is_not_pem_is_refused(pem: str) -> None:
    assert refusal_of(without_key(pem)) == f"estate-invalid: estate.yaml, {RSA_KEY}.\n{HINT}"


def _public_pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=ca")
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )
