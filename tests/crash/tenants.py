"""The tenant of these tests: a mailbox on a Mailu that is started when first asked for, and a password that leaks."""

import contextlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lab.tenants import make_tenants
from lambdas.domain.tenant import admin_path
from tests.actions.credential_house import SENDER, TenantHouse
from tests.actions.house import House
from tests.servers.mail import let_send
from tests.servers.mailu import Mailu, mailus
from tests.servers.vault import VaultServer

_ID = make_tenants(1, seed=5)[0].id
_EMAIL = "admin@tenant.example.org"
"""The same in each world, so that two executions make the same calls."""


@dataclass
class CrashTenant:
    """One tenant in one world after another."""

    folder: Path
    server: VaultServer
    _present: TenantHouse | None = None
    _started: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def mailu(self) -> Mailu:
        return self._started.enter_context(mailus(self.folder)).start()

    @property
    def present(self) -> TenantHouse:
        """The tenant of the present world."""
        assert self._present is not None
        return self._present

    def begin(self, house: House) -> None:
        """A world in which the tenant's password has leaked, and two programs of it have app tokens."""
        self.mailu.server.limits.forget()
        let_send(SENDER)
        self._present = TenantHouse.make(house, self.server, self.mailu, _ID, _EMAIL)
        for comment in ("phone", "an intruder's"):
            self.mailu.server.state.add_token(_EMAIL, comment, [])

    def end(self) -> None:
        """Leave nothing of it behind."""
        if self._present is None:
            return
        mount, _, name = admin_path(_ID).partition("/")
        self.server.admin().secrets.kv.v2.delete_metadata_and_all_versions(name, mount_point=mount)
        self.mailu.server.state.remove_user(self.mailu.server.state.users[_EMAIL])
        self._present = None

    def stop(self) -> None:
        self._started.close()
