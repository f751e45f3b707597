"""The estate: everything that is protected, read strictly from `estate.yaml`.

An estate is refused with the file, the key and what was expected there. Nothing in it is secret: secrets are
named (an ARN, a path), never written down.
"""

import hashlib
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Meta, Struct
from msgspec.structs import replace

from lambdas.domain.errors import EstateInvalid
from lambdas.domain.estate_credentials import Credentials, check_credentials
from lambdas.domain.estate_database import DATABASE_PATTERNS, Database, check_database
from lambdas.domain.objectives import Objective
from lambdas.domain.parsing import Problem, parse
from lambdas.domain.pem import check_certificates

_HTTPS = r"^https://[^/\s]+\Z"
_REGION = r"^[a-z]{2}(-[a-z]+)+-\d\Z"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+\Z"
_PHONE = r"^\+[1-9]\d{6,14}\Z"
_WEBHOOK = r"^https://\S+\Z"
_HEARTBEAT = r"^https://[A-Za-z0-9][A-Za-z0-9.:-]*([/?][^\s#]*)?\Z"
_DOMAIN = r"^[a-z0-9-]+(\.[a-z0-9-]+)+\Z"
_ARN = r"^arn:aws[a-z-]*:.+\Z"
_MOUNT = r"^[a-z0-9_-]+\Z"
_PATH = r"^[a-z0-9_-]+(/[A-Za-z0-9_.-]+)+\Z"
_KEY_ID = r"^[A-Za-z0-9_.-]{1,64}\Z"
_NAME = r"^[a-z][a-z0-9-]{1,30}\Z"
_LOCK = r"^(governance|compliance)\Z"
_SEAL = r"^(static|awskms|shamir)\Z"

_PATTERNS = {
    _HTTPS: "an address without a path such as https://vault.example.org:8200",
    _REGION: "a region such as eu-central-1",
    _EMAIL: "an e-mail address such as ops@example.net",
    _PHONE: "a phone number such as +4915112345678, in quotes",
    _WEBHOOK: "an https:// URL",
    _DOMAIN: "a domain such as example.org",
    _ARN: "an ARN",
    _MOUNT: "the name of a KV v2 mount such as smtp",
    _PATH: "a path of the form mount/path such as smtp/test-tenant-id/admin",
    _KEY_ID: "a key id such as k1",
    _NAME: "a short name in lower case such as example",
    _LOCK: "governance or compliance",
    _SEAL: "static, awskms or shamir",
} | DATABASE_PATTERNS

OFFLINE_KEY_BITS = 3072
"""NIST SP 800-57 part 1, table 2: RSA-3072 is the smallest with 128 bits of strength."""

_EXAMPLE_KEY_SHA256 = "8e0aff3bf2afaefab4fb0a6be89c5638ebb82362491351297ed70983ccf2f73c"
"""Of the public key in `estate.yaml` of this repository, white space left out."""


class Regions(Struct, frozen=True, forbid_unknown_fields=True):
    """The region that works, and the one that recovers when it is gone."""

    primary: Annotated[str, Meta(pattern=_REGION)]
    standby: Annotated[str, Meta(pattern=_REGION)]


class Subnetwork(Struct, frozen=True, forbid_unknown_fields=True):
    """Where in a VPC the functions that reach Vault run."""

    vpc_id: str
    subnet_ids: Annotated[list[str], Meta(min_length=1)]
    security_group_ids: Annotated[list[str], Meta(min_length=1)]
    availability_zones: Annotated[list[str], Meta(min_length=1)]


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """The VPC of each region; left out, the functions use public endpoints with TLS."""

    primary: Subnetwork
    standby: Subnetwork


class Contacts(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told. At least one channel that needs no e-mail: the mail platform may be what has failed."""

    email: Annotated[list[Annotated[str, Meta(pattern=_EMAIL)]], Meta(min_length=1)]
    sms: list[Annotated[str, Meta(pattern=_PHONE)]] = []
    webhook: list[Annotated[str, Meta(pattern=_WEBHOOK)]] = []


class Alerts(Struct, frozen=True, forbid_unknown_fields=True):
    """One list of contacts for operations, one for security."""

    operations: Contacts
    security: Contacts


class Seal(Struct, frozen=True, forbid_unknown_fields=True):
    """How Vault is unsealed. `key_id` names the static key (or the KMS key of an awskms seal)."""

    type: Annotated[str, Meta(pattern=_SEAL)]
    key_id: Annotated[str, Meta(pattern=_KEY_ID)] = ""


class StagingVault(Struct, frozen=True, forbid_unknown_fields=True):
    """The Vault that restore tests fill and empty again: a cluster of its own, under the same seal key as the live one.

    `ca` and `host_principal` are those of the live Vault where they are left out.
    """

    address: Annotated[str, Meta(pattern=_HTTPS)]
    nodes: list[Annotated[str, Meta(pattern=_HTTPS)]] = []
    ca: str = ""
    host_principal: Annotated[str, Meta(pattern=_ARN)] | None = None


class Vault(Struct, frozen=True, forbid_unknown_fields=True):
    """One Vault cluster with integrated (raft) storage, and the one that its backups are tested on."""

    address: Annotated[str, Meta(pattern=_HTTPS)]
    staging: StagingVault
    seal: Seal
    mounts: Annotated[list[Annotated[str, Meta(pattern=_MOUNT)]], Meta(min_length=1)]
    nodes: list[Annotated[str, Meta(pattern=_HTTPS)]] = []
    ca: str = ""
    canary: Annotated[str, Meta(pattern=_PATH)] = "smtp/test-tenant-id/admin"
    host_principal: Annotated[str, Meta(pattern=_ARN)] | None = None
    unseal_keys_secret: Annotated[str, Meta(pattern=_ARN)] | None = None

    @property
    def all_nodes(self) -> list[str]:
        """The address of every node; a single node needs no list."""
        return self.nodes or [self.address]

    @property
    def host_principals(self) -> list[str]:
        """Who may open the seal key: the hosts of the live Vault and of the staging Vault."""
        return sorted({each for each in (self.host_principal, self.staging.host_principal) if each})

    @property
    def stand_in(self) -> "Vault":
        """The staging Vault, as the actions see it in a rehearsal: the live one at other addresses."""
        staging = self.staging
        return replace(self, address=staging.address, nodes=staging.nodes, ca=staging.ca or self.ca)


class Heartbeat(Struct, frozen=True, forbid_unknown_fields=True):
    """A monitor outside of AWS that expects a call after each good night; `ca` is left out for the public ones.

    Whoever knows `url` can say that all is well: it stands in no log, no error and no record.
    """

    url: str
    ca: str = ""


class Approvals(Struct, frozen=True, forbid_unknown_fields=True):
    """How a step that destroys something is approved. `own` lets whoever started an operation approve it too.

    `expires_minutes` is how long a request may be answered; 120 at most, so that the scenario that waits has time left.
    """

    own: bool = False
    expires_minutes: Annotated[int, Meta(ge=1, le=120)] = 60


class ObjectiveSetting(Struct, frozen=True, forbid_unknown_fields=True):
    """A promise that differs from the plan's."""

    rto_minutes: Annotated[int, Meta(gt=0)]
    rpo_hours: Annotated[int, Meta(ge=0)]


class Estate(Struct, frozen=True, forbid_unknown_fields=True):
    """All that is protected."""

    name: Annotated[str, Meta(pattern=_NAME)]
    regions: Regions
    alerts: Alerts
    protected_domains: list[Annotated[str, Meta(pattern=_DOMAIN)]]
    offline_public_key: str
    vault: Vault
    network: Network | None = None
    object_lock: Annotated[str, Meta(pattern=_LOCK)] = "governance"
    heartbeat: Heartbeat | None = None
    database: Database | None = None
    credentials: Credentials | None = None
    approvals: Approvals = Approvals()
    objectives: dict[str, ObjectiveSetting] = {}

    @property
    def kinds(self) -> list[str]:
        """The kinds of backups that are made for this estate, as `domain/retention.py` has rules for them."""
        return ["vault", *(["database"] if self.database else [])]

    def objective(self, scenario: str, planned: Objective) -> Objective:
        """The promise for `scenario`: the estate's where it names one, the plan's otherwise."""
        own = self.objectives.get(scenario)
        return Objective(own.rto_minutes * 60, own.rpo_hours * 3600) if own else planned

    def other_region(self, region: str) -> str:
        """The region that `region` copies to: each is the other's."""
        return self.regions.standby if region == self.regions.primary else self.regions.primary


class _StrictLoader(yaml.SafeLoader):
    """YAML keeps the last of two equal keys in silence; a person means one of them. And every key here is text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if key_node.tag != "tag:yaml.org,2002:str":
                raise Problem(_line(key_node.start_mark), "expected a key that is text; put it in quotes")
            if key_node.value in seen:
                raise Problem(key_node.value, f"this key stands twice, again on {_line(key_node.start_mark)}")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError:
            problem = f"YAML takes '{node.value}' for a date or a number that does not exist; put it in quotes"
            raise Problem(_line(node.start_mark), problem) from None


def _line(mark: yaml.Mark) -> str:
    return f"line {mark.line + 1}"


def is_the_examples_key(pem: str) -> bool:
    """Whether an offline key is the one of the example estate: nobody could open a backup with it."""
    return hashlib.sha256("".join(pem.split()).encode()).hexdigest() == _EXAMPLE_KEY_SHA256


def parse_estate(text: str, file: str = "estate.yaml", scenarios: frozenset[str] = frozenset()) -> Estate:
    """Read an estate; `scenarios` are the names that `objectives` may use (none given: not checked).

    Raises `EstateInvalid` for the first mistake, with the file, the key and what was expected.
    """
    try:
        estate = parse(_read_yaml(text), Estate, _PATTERNS)
        _check(estate, scenarios)
    except Problem as problem:
        # Of the heartbeat nothing is quoted: it may be the URL.
        text = problem.text.partition(", got ")[0] if problem.key.startswith("heartbeat") else problem.text
        raise EstateInvalid(file=file, key=problem.key or "the whole file", problem=text) from None
    return estate


def _read_yaml(text: str) -> object:
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        where = _line(error.problem_mark) if error.problem_mark else "the whole file"
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise Problem(where, f"this is not YAML: {what}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Problem(f"line {line}", "this is not YAML: it holds a character that no text has") from None


def _check(estate: Estate, scenarios: frozenset[str]) -> None:
    """What one key alone cannot show."""
    if estate.regions.primary == estate.regions.standby:
        raise Problem("regions.standby", "expected another region than regions.primary")
    for name, contacts in (("operations", estate.alerts.operations), ("security", estate.alerts.security)):
        if not contacts.sms and not contacts.webhook:
            raise Problem(f"alerts.{name}", "expected at least one sms or webhook: e-mail may be what has failed")
        addresses = [(f"email[{i}]", each, each.rpartition("@")[2]) for i, each in enumerate(contacts.email)]
        addresses += [(f"webhook[{i}]", each, urlsplit(each).hostname or "") for i, each in enumerate(contacts.webhook)]
        for key, address, host in addresses:
            if protected := _protected(host, estate):
                raise Problem(
                    f"alerts.{name}.{key}",
                    f"expected an address outside the protected domain {protected}, got '{address}'",
                )
    if estate.heartbeat:
        _check_heartbeat(estate.heartbeat, estate)
    vault = estate.vault
    if vault.canary.split("/")[0] not in vault.mounts:
        raise Problem("vault.canary", f"expected a path in one of vault.mounts ({', '.join(vault.mounts)})")
    if vault.seal.type != "shamir" and not vault.seal.key_id:
        raise Problem("vault.seal.key_id", f"the {vault.seal.type} seal needs the id of its key")
    if vault.seal.type == "static" and vault.host_principal is None:
        raise Problem("vault.host_principal", "the static seal needs the role or user that may open its key")
    live = {vault.address, *vault.nodes}
    for key, address in (
        ("address", vault.staging.address),
        *((f"nodes[{i}]", n) for i, n in enumerate(vault.staging.nodes)),
    ):
        if address in live:
            raise Problem(
                f"vault.staging.{key}", "expected another Vault than the live one: restore tests overwrite it"
            )
    for key, pem in (("vault.ca", vault.ca), ("vault.staging.ca", vault.staging.ca)):
        if pem:
            check_certificates(key, pem)
    _check_offline_key(estate.offline_public_key)
    if estate.database:
        check_database(estate.database)
    if estate.credentials:
        _check_credentials(estate.credentials, estate)
    for name in estate.objectives:
        if scenarios and name not in scenarios:
            raise Problem(f"objectives.{name}", f"expected the name of a scenario ({', '.join(sorted(scenarios))})")


def _protected(host: str, estate: Estate) -> str | None:
    """The protected domain that a host is under, if any."""
    domain = host.lower().rstrip(".")
    under = (each for each in estate.protected_domains if domain == each or domain.endswith("." + each))
    return next(under, None)


def _check_credentials(credentials: Credentials, estate: Estate) -> None:
    check_credentials(credentials)
    if protected := _protected(credentials.notices_from.rpartition("@")[2], estate):
        raise Problem("credentials.notices_from", f"expected an address outside the protected domain {protected}")


def _check_heartbeat(heartbeat: Heartbeat, estate: Estate) -> None:
    """Its mistakes are told without the URL."""
    if not re.match(_HEARTBEAT, heartbeat.url):
        raise Problem("heartbeat.url", "expected an https:// URL without a user, a fragment or a space")
    if protected := _protected(urlsplit(heartbeat.url).hostname or "", estate):
        raise Problem("heartbeat.url", f"expected a monitor outside the protected domain {protected}")
    if heartbeat.ca:
        check_certificates("heartbeat.ca", heartbeat.ca)


def _check_offline_key(pem: str) -> None:
    expected = f"expected an RSA public key in PEM of at least {OFFLINE_KEY_BITS} bits"
    if re.search(r"PRIVATE KEY", pem):
        raise Problem("offline_public_key", f"{expected}; this is a private key, keep it offline and replace it")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Problem("offline_public_key", expected) from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < OFFLINE_KEY_BITS:
        raise Problem("offline_public_key", expected)
