"""Tenants' credentials as the actions reach them: Vault by the duty `rotate`, the escrow, and each tenant's Mailu."""

from collections.abc import Iterator
from contextlib import contextmanager

from lambdas.adapters.envelope import Envelope
from lambdas.adapters.escrow import Escrow
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run
from lambdas.adapters.mailu import MailuApi
from lambdas.adapters.rotation import Rotator
from lambdas.adapters.sealed_keys import MASTER_KEY, SealedKeys
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient, find_leader
from lambdas.adapters.vault_credentials import read_credential
from lambdas.domain.credential_errors import CredentialsNotInEstate
from lambdas.domain.estate import Estate
from lambdas.domain.estate_credentials import Credentials, MailuServers
from lambdas.domain.mail_login import MailServer
from lambdas.domain.tenant import admin_path, mailu_token_path
from lambdas.domain.vault_duties import Duty


def credentials_of(estate: Estate) -> Credentials:
    """The credentials of an estate. Raises `CredentialsNotInEstate`."""
    if estate.credentials is None:
        raise CredentialsNotInEstate()
    return estate.credentials


def vault_of_credentials(run: Run, estate: Estate) -> VaultClient:
    """A login to the live Vault for the duty `rotate`. Raises as `find_leader` and `VaultClient` do."""
    leader, key = find_leader(estate.vault), SigningKey(run.settings["VAULT_ROTATE_KEY"])
    return VaultClient(leader.address, estate.vault, Duty("rotate"), key)


def escrow_of(run: Run, estate: Estate) -> Escrow:
    """The escrow of this region. What it is asked decides which rights on its key are needed."""
    envelope = Envelope(run.settings["ESCROW_KEY"], estate.offline_public_key)
    return Escrow(run.settings.region, run.settings["ESCROW_TABLE"], envelope)


def rotator(run: Run) -> Rotator:
    """What a rotation works with.

    Raises `CredentialsNotInEstate`, `SealKeyMissing`, `KeyUnusable`, and as Vault does.
    """
    estate = read_estate(run.settings.region)
    mailu = credentials_of(estate).mailu
    return Rotator(
        vault=vault_of_credentials(run, estate),
        escrow=escrow_of(run, estate),
        master_key=SealedKeys(run.settings.region, run.settings["ESCROW_KEY"]).open(MASTER_KEY),
        server=lambda address: server_at(address, mailu),
    )


@contextmanager
def mailu_of(run: Run, tenant_id: str) -> Iterator[tuple[MailuApi, str]]:
    """A tenant's Mailu, and the address of its admin there, while the block runs.

    Raises `CredentialsNotInEstate`, `CredentialMissing`, `MailuAddressInvalid`, and as Vault does.
    """
    estate = read_estate(run.settings.region)
    mailu, vault = credentials_of(estate).mailu, vault_of_credentials(run, estate)
    values = read_credential(vault, admin_path(tenant_id)).data or {}
    token = read_credential(vault, mailu_token_path(tenant_id)).data or {}
    api = MailuApi(server_at(str(values.get("webmail_url", "")), mailu), str(token.get("token", "")))
    try:
        yield api, str(values.get("username", ""))
    finally:
        api.close()


def server_at(address: str, mailu: MailuServers) -> MailServer:
    """The Mailu at an address, with what all of an estate have in common. Raises `MailuAddressInvalid`."""
    return MailServer(address, mailu.ca, mailu.imap_port, mailu.smtps_port, mailu.submission_port)
