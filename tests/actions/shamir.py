"""Vaults with a Shamir seal that know Mailark's duties, set up by an administrator and not by themselves."""

from dataclasses import dataclass

import hvac
import msgspec

from lambdas.domain.estate import Seal, Vault
from lambdas.domain.vault_configuration import policies
from lambdas.domain.vault_duties import DUTIES, ISSUER, Duty, role
from tests.servers.vault import MOUNTS, Vaults, VaultServer, until


@dataclass
class Shamir:
    """An initialised, unsealed Vault: two of its three unseal keys open it."""

    server: VaultServer
    estate: Vault
    root_token: str
    keys: list[str]

    def root(self) -> hvac.Client:
        return self.server.client(self.root_token)

    def with_keys_in(self, secret: str) -> Vault:
        """The same Vault, with the unseal keys of a snapshot in a secret."""
        return msgspec.structs.replace(self.estate, unseal_keys_secret=secret)


def make_shamir(vaults: Vaults) -> Shamir:
    server = vaults.prepare()
    server.start()
    server.node.wait_until_answering()
    made = server.client().sys.initialize(3, 2)
    for key in made["keys_base64"][:2]:
        server.client().sys.submit_unseal_key(key)
    until(lambda: server.node.health() == 200, "the new Vault leads")
    shamir = Shamir(server, vaults.estate(server, seal=Seal("shamir")), made["root_token"], made["keys_base64"])
    root, rules = shamir.root(), policies(shamir.estate)
    for mount in MOUNTS:
        root.sys.enable_secrets_engine("kv", mount, options={"version": "2"})
    for name in DUTIES:
        duty = Duty(name)
        root.sys.create_or_update_acl_policy(duty.title, rules[name])
        root.sys.enable_auth_method("jwt", path=duty.title)
        trust = {"jwt_validation_pubkeys": [vaults.public_keys[name]], "bound_issuer": ISSUER}
        root.write_data(f"auth/{duty.title}/config", data=trust)
        root.write_data(f"auth/{duty.title}/role/{duty.title}", data=role(duty))
    return shamir
