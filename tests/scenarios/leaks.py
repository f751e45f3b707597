"""A tenant whose credential leaks: a mailbox on the lab's Mailu, and a contact that reads mail elsewhere."""

import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.tenants import Tenant, make_tenants
from lambdas.domain.tenant import tenant_target
from tests.scenarios.house import House

CONTACT = "owner@elsewhere.example"
SCENARIO = "credential_compromise"
_FIRST = itertools.count(1000)
"""Of the numbers of domains: those before belong to the tenants that all tests share."""


@dataclass(frozen=True)
class Leak:
    """The tenant, and its house."""

    house: House
    tenant: Tenant

    @property
    def given(self) -> dict[str, object]:
        return {"tenant_id": self.tenant.id, "compromise_details": "seen in a paste", "incident_id": "INC-7"}

    @property
    def target(self) -> str:
        return tenant_target(self.tenant.id)

    def password(self) -> str:
        """What Vault has now, in the clear."""
        return self.house.lab.platform().password(self.tenant)

    def mails(self) -> list[dict[str, Any]]:
        """The notices about this tenant."""
        return [each for each in self.house.lab.aws.mails() if self.tenant.email in each["BodyText"]]


@contextmanager
def leak(house: House) -> Iterator[Leak]:
    """A tenant that is there while the block runs, and whom Vault has forgotten after it."""
    made = make_tenants(1, seed=secrets.randbits(32), first=next(_FIRST))
    lab = house.lab
    lab.mail.forget_limits()
    (tenant,) = lab.platform().store(lab.mail.take_in(made, contacts={made[0].id: [CONTACT]}))
    yield Leak(house, tenant)
    lab.platform().destroy([tenant])
