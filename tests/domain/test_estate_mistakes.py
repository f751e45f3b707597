"""An estate is read strictly: a mistake is refused with the file, the key, what was expected, and where to look."""

import pytest

from lambdas.domain.errors import EstateInvalid
from lambdas.domain.estate import parse_estate
from lambdas.domain.scenarios import SCENARIOS
from tests.domain.builders import OFFLINE_KEY
from tests.domain.estates import HINT, NETWORK, SUBNETWORK, plus, refusal_of, with_, with_ca

ADDRESS = "an address without a path such as https://vault.example.org:8200"
REGION = "a region such as eu-central-1"
MAIL = "an e-mail address such as ops@example.net"
OUTSIDE = "expected an address outside the protected domain example.org"
TOP_KEYS = (
    "name, regions, alerts, protected_domains, offline_public_key, vault, network, object_lock, heartbeat, database, "
    "credentials, approvals, objectives"
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


def test_no_mistake_in_a_heartbeat_shows_its_url() -> None:
    mistakes = [text for name, (text, _) in MISTAKES.items() if "heartbeat" in name]
    assert len(mistakes) == 9
    for text in mistakes:
        with pytest.raises(EstateInvalid) as caught:
            parse_estate(text)
        assert "untold" not in str(caught.value)
