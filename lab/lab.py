"""The whole lab: the embedded AWS with Mailark deployed to it, a real Vault, and the platform that uses it.

    with Lab.started() as lab:
        ...

Everything is on loopback and in one temporary folder, and gone when the block ends.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import requests
from requests.adapters import HTTPAdapter

from lab.aws import ROOT, Aws
from lab.certificates import CertificateAuthority
from lab.database import LabDatabase
from lab.deployment import bootstrap, deploy, synthesize
from lab.estate import (
    HOST_USER,
    OfflineKey,
    add_database,
    add_mail_servers,
    make_offline_key,
    primary_region,
    write_estate,
)
from lab.gate import Gate
from lab.log_shipper import LogShipper
from lab.mail_client import MailClient
from lab.mail_servers import MailServers
from lab.platform_login import platform_login
from lab.processes import LabError, free_port, require_free
from lab.tenants import Platform, Tenant
from lab.vault import AUDIT, VaultNode
from lambdas.adapters.aws import forget_clients
from lambdas.domain.estate import Estate, parse_estate
from lambdas.domain.mail_login import Way

Progress = Callable[[str], None]

MAILU_LOGS, VAULT_LOGS = "/mailark/mailu", "/mailark/vault"
"""The log groups that hosts ship to; the stack makes them."""
_STAGING = "vault-staging"
_MEGABYTES = 8.0
"""Of mail in the database, for tests: enough for several pieces of a stream."""
_HOST_POLICY = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}]}"""


@dataclass
class Lab:
    """What a test or the demo works with. Restart Vault with `restart_vault`, lose it with `lose_vault`."""

    folder: Path
    aws: Aws
    gate: Gate
    authority: CertificateAuthority
    vault: VaultNode
    staging_vault: VaultNode
    database: LabDatabase
    mail: MailServers
    shippers: dict[str, LogShipper]
    offline: OfflineKey
    estate_file: Path
    estate: Estate
    master_key: bytes
    host_key: tuple[str, str]
    configuration: Path
    platform_password: str
    _cluster_port: int
    _staging_cluster_port: int

    @property
    def primary(self) -> str:
        return self.estate.regions.primary

    @property
    def standby(self) -> str:
        return self.estate.regions.standby

    def client(self, service: str, region: str | None = None) -> Any:
        """A client of the embedded AWS, as the account's root."""
        return self.aws.client(service, region or self.primary)

    def platform(self, address: str | None = None) -> Platform:
        """The platform, freshly logged in to Vault, or to another one that the lab has started."""
        return Platform(self.vault_client(address), self.master_key)

    def vault_client(self, address: str | None = None) -> hvac.Client:
        """A client of Vault with the platform's login."""
        session = requests.Session()
        session.verify = str(self.authority.file)
        session.mount("https://", HTTPAdapter(pool_maxsize=32))
        client = hvac.Client(url=address or self.vault.address, session=session, timeout=10)
        client.auth.userpass.login("platform", self.platform_password)
        return client

    def mail_client(self, tenant: Tenant, way: Way = Way.IMAP, per_second: float = 10.0) -> MailClient:
        """A client of a tenant's mail server, not yet at work; it reads Vault as the platform."""
        platform = self.platform()
        return MailClient(self.mail.reached, tenant.email, lambda: platform.password(tenant), way, per_second)

    def canary(self) -> object:
        """What the canary in Vault holds, or None."""
        kv = self.vault_client().secrets.kv.v2
        mount, _, path = self.estate.vault.canary.partition("/")
        try:
            return kv.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)["data"]["data"]
        except hvac.exceptions.InvalidPath:
            return None

    @contextlib.contextmanager
    def as_root(self) -> Iterator[None]:
        """Let this very process call the embedded AWS with its default clients while the block runs."""
        before = dict(os.environ)
        os.environ.update(self.aws.environment())
        forget_clients()
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            forget_clients()

    def let_send_notices(self) -> None:
        """Let SES send from the estate's address, as its owner does before the first notice (docs/operating.md)."""
        assert self.estate.credentials is not None
        for region in (self.primary, self.standby):
            ses = self.client("sesv2", region)
            ses.create_email_identity(EmailIdentity=self.estate.credentials.notices_from)

    def start_vault(self, endpoint: str | None = None) -> None:
        """Start Vault as its host does: KMS opens the seal key, in either region."""
        endpoint = endpoint or self.aws.endpoint
        self.vault.start(self.configuration, self.aws, self.host_key, self._cluster_port, endpoint)
        self.vault.wait_until_serving()

    def start_staging_vault(self) -> None:
        """Start the Vault that restore tests fill and empty again, as its host does."""
        node = self.staging_vault
        node.start(self.configuration, self.aws, self.host_key, self._staging_cluster_port, self.aws.endpoint)
        node.wait_until_serving()

    def seal_vault(self) -> None:
        """Seal Vault, as an operator may in a breach; it unseals itself at its next start."""
        self.vault_client().sys.seal()

    @contextlib.contextmanager
    def second_node(self) -> Iterator[VaultNode]:
        """A node that joins Vault while the block runs, and follows it as a standby."""
        name = f"vault-{secrets.token_hex(3)}"  # raft remembers for a while whom it has removed
        joining = self.folder / "vault-configuration-joining"
        shutil.copytree(self.configuration, joining, dirs_exist_ok=True)
        alone, _, _ = (joining / "mailark.hcl").read_text().partition("# Runs once")
        (joining / "mailark.hcl").write_text(alone)  # a node that sets itself up does not join another
        node = VaultNode(name, free_port(), self.folder, self.authority, [self.vault.address], AUDIT)
        with contextlib.ExitStack() as stack:
            node.start(joining, self.aws, self.host_key, free_port(), self.aws.endpoint)
            stack.callback(node.lose_disk)
            stack.callback(node.kill)
            node.wait_until_serving()
            # Before it is gone: the first node alone is no majority of two.
            stack.callback(self._part_from, name)
            yield node

    def _part_from(self, name: str) -> None:
        """Take the other node out of the cluster, through an election if there is one, until the first leads alone."""

        def taken_out() -> bool:
            try:
                self.vault_client().sys.remove_raft_node(name)
            except hvac.exceptions.InternalServerError:  # while they elect
                return False
            return True

        self.vault.wait_until(taken_out)
        self.vault.wait_until(lambda: self.vault.health() == 200)  # Vault's API, /sys/health: active

    def lose_vault(self) -> None:
        """Kill Vault with SIGKILL and delete its disk."""
        self.vault.kill()
        self.vault.lose_disk()

    @staticmethod
    @contextlib.contextmanager
    def started(progress: Progress, megabytes: float = _MEGABYTES) -> Iterator["Lab"]:
        """Start everything and deploy; stop and remove everything at the end. Raises `LabError` with what to do.

        The database gets so many `megabytes` of mail.
        """
        folder = Path(tempfile.mkdtemp(prefix="mailark-lab-"))
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            progress("Starting the embedded AWS")
            authority = CertificateAuthority(folder)
            aws = Aws(folder, _port("MAILARK_AWS_PORT", "the embedded AWS"), authority)
            stack.callback(aws.stop)
            gate = stack.enter_context(Gate(aws, authority.issue("gate"), free_port()).open())
            database = LabDatabase(folder, authority)
            stack.callback(database.stop)
            stack.enter_context(database.services.started())
            shippers = {
                group: stack.enter_context(LogShipper(aws.client("logs", primary_region()), group).running())
                for group in (MAILU_LOGS, VAULT_LOGS)
            }
            mail = stack.enter_context(MailServers.started(folder, authority, shippers[MAILU_LOGS].take))
            lab = _prepare(folder, aws, gate, authority, database, mail, shippers)
            shippers[VAULT_LOGS].follow(lab.vault.audit_file, "vault")
            stack.callback(lambda: lab.vault.stop())
            stack.callback(lambda: lab.staging_vault.stop())
            progress("Writing the templates of four stacks")
            synthesize(aws, folder, lab.primary, lab.estate_file, gate.endpoint)
            progress("Bootstrapping two regions with `cdk bootstrap`")
            bootstrap(aws, folder, lab.primary)
            progress("Deploying four stacks with `cdk deploy --all`")
            deploy(aws, folder, lab.primary)
            lab.let_send_notices()
            progress("Starting PostgreSQL, and filling the forwarding service's database")
            database.start(megabytes)
            progress("Starting Vault, whose seal key KMS opens")
            _write_vault_configuration(lab)
            lab.start_vault()
            lab.start_staging_vault()
            yield lab


def _port(variable: str, purpose: str) -> int:
    chosen = os.environ.get(variable)
    if not chosen:
        return free_port()
    if not chosen.isdecimal() or not 0 < int(chosen) < 65536:
        raise LabError(f"{variable} is '{chosen}', and no port. Give a number from 1 to 65535, or leave it out.")
    return require_free(int(chosen), purpose, variable)


def _prepare(
    folder: Path,
    aws: Aws,
    gate: Gate,
    authority: CertificateAuthority,
    database: LabDatabase,
    mail: MailServers,
    shippers: dict[str, LogShipper],
) -> Lab:
    password = secrets.token_urlsafe(24)
    own = AUDIT + platform_login(password)
    node = VaultNode(
        "vault",
        _port("MAILARK_VAULT_PORT", "Vault"),
        folder,
        authority,
        own_configuration=own,
    )
    staging = VaultNode(_STAGING, free_port(), folder, authority, own_configuration=own)
    offline = make_offline_key(folder)
    seal = {"type": "static", "key_id": "k1"}
    estate_file = write_estate(folder, authority, offline, [node.address], staging.address, seal)
    add_database(estate_file, database.estate, aws)
    add_mail_servers(estate_file, mail.estate())
    iam = aws.client("iam", "us-east-1")
    iam.create_user(UserName=HOST_USER)
    iam.put_user_policy(UserName=HOST_USER, PolicyName="open-the-seal-key", PolicyDocument=_HOST_POLICY)
    key = iam.create_access_key(UserName=HOST_USER)["AccessKey"]
    return Lab(
        folder=folder,
        aws=aws,
        gate=gate,
        authority=authority,
        vault=node,
        staging_vault=staging,
        database=database,
        mail=mail,
        shippers=shippers,
        offline=offline,
        estate_file=estate_file,
        estate=parse_estate(estate_file.read_text()),
        master_key=secrets.token_bytes(32),
        host_key=(key["AccessKeyId"], key["SecretAccessKey"]),
        configuration=folder / "vault-configuration",
        platform_password=password,
        _cluster_port=free_port(),
        _staging_cluster_port=free_port(),
    )


def _write_vault_configuration(lab: Lab) -> None:
    """What a user does after `cdk deploy`: one command."""
    key_file = lab.folder / "master-key"
    key_file.write_text(lab.master_key.hex())
    key_file.chmod(0o600)
    command = [sys.executable, "-m", "lambdas.vault_configuration"]
    command += ["--estate", str(lab.estate_file), "--output", str(lab.configuration)]
    command += ["--master-key-file", str(key_file)]
    environment = lab.aws.environment() | {"PATH": os.environ["PATH"], "AWS_REGION": lab.primary}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    key_file.unlink()
    if done.returncode != 0:
        raise LabError(f"`python -m lambdas.vault_configuration` failed:\n{done.stderr}")
