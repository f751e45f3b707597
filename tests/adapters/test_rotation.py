"""One rotation on a real Vault and a Mailu: one password in the end, wherever it dies, and no client is locked out."""

import dataclasses
import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import hvac
import pytest

from lab.mail_client import MailClient
from lab.mailu.running import broken
from lab.tenants import make_tenants
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.escrow import Escrow
from lambdas.adapters.mail_logins import log_in
from lambdas.adapters.mailu import MailuApi
from lambdas.adapters.rotation import Rotator, finish
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_credentials import read_credential
from lambdas.domain.credential import open_password, seal_password
from lambdas.domain.credential_errors import CredentialMissing
from lambdas.domain.mail_login import MailServer, Way
from lambdas.domain.mailu_errors import (
    MailuRequestRefused,
    MailUserDisabled,
    MailuTokenRefused,
    MailuUnreachable,
    PasswordNotProved,
)
from lambdas.domain.rotation import Kind, Rotation
from lambdas.domain.tenant import admin_path, mailu_token_path
from tests.servers.aws import PRIMARY, make_key
from tests.servers.mailu import Mailu, mailus
from tests.servers.vault import VaultServer, empty, until, write

pytestmark = pytest.mark.usefixtures("_clean")

MASTER_KEY = bytes(range(32))
WAYS = (Way.SSO, Way.IMAP, Way.SMTPS)
TIMES = (f"2026-11-22T0{hour}:{minute:02}:00+00:00" for hour in itertools.count() for minute in range(60))


@pytest.fixture(scope="module")
def mailu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailu]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers.start()


@pytest.fixture(scope="module")
def kms_key() -> str:
    return make_key()


@dataclass
class Tenant:
    """A tenant whose credential works, and what a rotation of it works with."""

    id: str
    email: str
    first: str
    mailu: Mailu
    admin: hvac.Client
    rotator: Rotator

    def rotation(self, name: str = "op-1", kind: Kind = "planned") -> Rotation:
        return Rotation(name, self.id, kind)

    def rotate(self, rotation: Rotation) -> None:
        """All four steps."""
        self.rotator.create(rotation, next(TIMES))
        self.rotator.set_and_publish(rotation)
        self.rotator.prove(rotation)
        finish(self.rotator.vault, self.rotator.escrow, rotation, "inc-7", "system", "2026-11-22T09:00:00+00:00")

    def in_vault(self) -> str:
        """The password that Vault has, in the clear."""
        values = read_credential(self.rotator.vault, admin_path(self.id)).data or {}
        return open_password(MASTER_KEY, self.id, values["password"])

    def works(self, password: str) -> bool:
        """Whether a password lets its user in by every way; by some of them is no answer."""
        found = {log_in(self.server, way, self.email, password).is_right for way in WAYS}
        assert len(found) == 1
        return found.pop()

    @property
    def server(self) -> MailServer:
        return self.rotator.server(self.mailu.address)

    def assert_one_password(self) -> None:
        """The same in Vault, in the escrow and at the mail server; the first one is dead."""
        password = self.in_vault()
        assert password != self.first
        assert self.works(password)
        assert not self.works(self.first)
        current = self.rotator.escrow.current(admin_path(self.id))
        assert current is not None
        assert open_password(MASTER_KEY, self.id, self.rotator.escrow.open(current)["password"]) == password

    def marks(self) -> dict[str, str]:
        answer = self.admin.secrets.kv.v2.read_secret_metadata(f"{self.id}/admin", mount_point="smtp")
        return answer["data"]["custom_metadata"] or {}


@pytest.fixture
def tenant(
    vault: VaultServer, rotating: VaultClient, mailu: Mailu, escrow_table: str, kms_key: str, offline_public: str
) -> Iterator[Tenant]:
    admin = vault.admin()
    empty(admin)
    user, first = mailu.add_user()
    (made,) = make_tenants(1, seed=secrets.randbelow(10**9))
    values = {
        "username": user.email,
        "password": seal_password(MASTER_KEY, made.id, first),
        "webmail_url": mailu.address,
        "created_at": "2026-05-01T00:00:00+00:00",
        "last_rotated": "2026-05-01T00:00:00+00:00",
        "rotation_policy": "180_days",
    }
    write(admin, admin_path(made.id), values)
    write(admin, mailu_token_path(made.id), {"token": mailu.token})
    ports = mailu.server.ports

    def server(address: str) -> MailServer:
        return MailServer(address, mailu.authority.pem, ports.imaps, ports.smtps, ports.submission)

    escrow = Escrow(PRIMARY, escrow_table, Envelope(kms_key, offline_public))
    yield Tenant(made.id, user.email, first, mailu, admin, Rotator(rotating, escrow, MASTER_KEY, server, WAYS))
    empty(admin)


# --- the four steps ---------------------------------------------------------------------------------------


def test_a_rotation_ends_with_a_new_password_everywhere_and_the_old_one_dead(tenant: Tenant) -> None:
    tenant.rotate(tenant.rotation())
    tenant.assert_one_password()
    values = read_credential(tenant.rotator.vault, admin_path(tenant.id)).data or {}
    assert values["created_at"] == "2026-05-01T00:00:00+00:00"
    assert values["last_rotated"] > "2026-11-22"
    assert tenant.marks() == {}


def test_an_emergency_reset_needs_no_old_password_and_marks_it(tenant: Tenant) -> None:
    """platform-facts.md: 48 random bytes, base64, set without knowing the old one."""
    values = read_credential(tenant.rotator.vault, admin_path(tenant.id)).data or {}
    write(tenant.admin, admin_path(tenant.id), dict(values) | {"password": "not to be opened"})
    tenant.rotate(tenant.rotation(kind="emergency"))
    tenant.assert_one_password()
    assert len(tenant.in_vault()) == 64
    assert tenant.marks() == {
        "compromised": "true",
        "compromised_version": "2",
        "incident_id": "inc-7",
        "reset_by": "system",
        "reset_at": "2026-11-22T09:00:00+00:00",
    }


def test_each_step_may_run_twice(tenant: Tenant) -> None:
    rotation = tenant.rotation()
    made = [tenant.rotator.create(rotation, next(TIMES)) for _ in range(2)]
    assert made[0] == made[1]
    assert tenant.in_vault() == tenant.first
    assert [tenant.rotator.set_and_publish(rotation) for _ in range(2)] == [2, 2]
    assert [len(tenant.rotator.prove(rotation).refused_by) for _ in range(2)] == [3, 3]
    for _ in range(2):
        assert (
            finish(tenant.rotator.vault, tenant.rotator.escrow, rotation, "inc-7", "system", next(TIMES)).state
            == "current"
        )
    tenant.assert_one_password()


def test_one_rotation_after_the_other_leaves_one_that_works(tenant: Tenant) -> None:
    for name in ("op-1", "op-2", "op-3"):
        tenant.rotate(tenant.rotation(name))
        tenant.assert_one_password()
    states = [each.state for each in tenant.rotator.escrow.items(admin_path(tenant.id))]
    assert states == ["superseded", "superseded", "current"]


def test_what_an_operation_that_died_has_set_is_refused_once_another_has_rotated(tenant: Tenant) -> None:
    died = tenant.rotation("op-1")
    tenant.rotator.create(died, next(TIMES))
    with _dying_at(tenant, "publish"), pytest.raises(_Died):
        tenant.rotator.set_and_publish(died)
    left = tenant.rotator.escrow.open(tenant.rotator.escrow.get(died.path, died.id))
    assert tenant.works(open_password(MASTER_KEY, tenant.id, left["password"]))
    tenant.rotate(tenant.rotation("op-2", "emergency"))
    tenant.assert_one_password()
    assert not tenant.works(open_password(MASTER_KEY, tenant.id, left["password"]))


# --- wherever it dies -------------------------------------------------------------------------------------


class _Died(BaseException):
    """As SIGKILL: nothing catches it but what catches everything."""


_CALLS = {
    "keep": (Escrow, "put_pending"),
    "look": (MailuApi, "enabled_user"),
    "set": (MailuApi, "set_password"),
    "publish": ("lambdas.adapters.rotation", "replace_credential"),
    "record": (Escrow, "published"),
    "prove": ("lambdas.adapters.rotation", "prove_password"),
    "settle": (Escrow, "make_current"),
    "mark": ("lambdas.adapters.rotation", "mark_credential"),
}


@contextmanager
def _dying_at(tenant: Tenant, call: str, after: bool = False) -> Iterator[None]:
    """Die before an outside call is made, or after it, before its answer is seen."""
    del tenant
    where, name = _CALLS[call]
    with pytest.MonkeyPatch.context() as patch:
        owner: Any = where
        if isinstance(where, str):
            owner = __import__(where, fromlist=[name])
        real: Callable[..., Any] = getattr(owner, name)

        def dies(*arguments: Any, **named: Any) -> Any:
            if after:
                real(*arguments, **named)
            raise _Died

        patch.setattr(owner, name, dies)
        yield


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", _CALLS)
def test_wherever_it_dies_it_ends_with_one_password_when_it_is_started_again(
    call: str, after: bool, tenant: Tenant
) -> None:
    rotation = tenant.rotation(kind="emergency")
    with _dying_at(tenant, call, after), pytest.raises(_Died):
        tenant.rotate(rotation)
    tenant.rotate(rotation)
    tenant.assert_one_password()
    assert tenant.marks()["compromised_version"] == "1"


@pytest.mark.parametrize("call", _CALLS)
def test_another_operation_goes_on_where_one_has_died(call: str, tenant: Tenant) -> None:
    with _dying_at(tenant, call), pytest.raises(_Died):
        tenant.rotate(tenant.rotation("op-1", "emergency"))
    tenant.rotate(tenant.rotation("op-2", "emergency"))
    tenant.assert_one_password()


def test_who_writes_to_vault_at_the_same_moment_does_not_lock_the_tenant_out(tenant: Tenant) -> None:
    """What Mailu has is what has to be in Vault; theirs stays there as a version."""
    rotation = tenant.rotation()
    tenant.rotator.create(rotation, next(TIMES))
    real = MailuApi.set_password
    values = dict(read_credential(tenant.rotator.vault, rotation.path).data or {})

    def meanwhile(api: MailuApi, email: str, password: str) -> None:
        real(api, email, password)
        write(tenant.admin, rotation.path, values | {"password": "by somebody else"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MailuApi, "set_password", meanwhile)
        assert tenant.rotator.set_and_publish(rotation) == 3
    assert tenant.works(tenant.in_vault())


# --- what stands in the way -------------------------------------------------------------------------------


def _untouched(tenant: Tenant) -> None:
    assert tenant.works(tenant.first)
    assert tenant.in_vault() == tenant.first


def test_a_user_who_is_disabled_a_token_that_is_refused_and_a_server_that_is_down_are_told_before_anything_is_set(
    tenant: Tenant,
) -> None:
    rotation = tenant.rotation()
    tenant.rotator.create(rotation, next(TIMES))
    user = tenant.mailu.server.state.user(tenant.email)
    assert user is not None
    user.enabled = False
    with pytest.raises(MailUserDisabled):
        tenant.rotator.set_and_publish(rotation)
    user.enabled = True
    write(tenant.admin, mailu_token_path(tenant.id), {"token": "another"})
    with pytest.raises(MailuTokenRefused):
        tenant.rotator.set_and_publish(rotation)
    write(tenant.admin, mailu_token_path(tenant.id), {"token": tenant.mailu.token})
    with tenant.mailu.host.down(tenant.mailu.server), pytest.raises(MailuUnreachable):
        tenant.rotator.set_and_publish(rotation)
    _untouched(tenant)
    tenant.rotate(rotation)
    tenant.assert_one_password()


def test_a_tenant_without_a_credential_is_named(tenant: Tenant) -> None:
    with pytest.raises(CredentialMissing):
        tenant.rotator.create(
            dataclasses.replace(tenant.rotation(), tenant_id=make_tenants(1, seed=7)[0].id), next(TIMES)
        )


def test_a_mailu_that_says_200_and_changes_nothing_is_found_by_the_proof(tenant: Tenant) -> None:
    rotation = tenant.rotation()
    tenant.rotator.create(rotation, next(TIMES))
    with broken(tenant.mailu.server, unchanged=True):
        tenant.rotator.set_and_publish(rotation)
        with pytest.raises(PasswordNotProved):
            tenant.rotator.prove(rotation)
    tenant.rotate(rotation)
    tenant.assert_one_password()


def test_an_error_page_of_a_proxy_sets_nothing(tenant: Tenant) -> None:
    rotation = tenant.rotation()
    tenant.rotator.create(rotation, next(TIMES))
    with broken(tenant.mailu.server, html_status=502), pytest.raises((MailuUnreachable, MailuRequestRefused)):
        tenant.rotator.set_and_publish(rotation)
    _untouched(tenant)


# --- clients ----------------------------------------------------------------------------------------------


def test_a_client_that_reads_vault_again_when_it_is_refused_gets_in_within_a_second(tenant: Tenant) -> None:
    """It logs in ten times a second with what Vault says; of 200 rotations `make test-crash` asks the same."""
    _rotate_under_a_client(tenant, rotations=12)


@pytest.mark.crash
def test_a_client_gets_in_through_two_hundred_rotations(tenant: Tenant) -> None:
    _rotate_under_a_client(tenant, rotations=200)


def _rotate_under_a_client(tenant: Tenant, rotations: int) -> None:
    """Each rotation begins while the client uses what the one before has set: between two of them lie months."""
    with MailClient(tenant.server, tenant.email, tenant.in_vault).running() as client:
        for number in range(rotations):
            until(lambda: client.used and client.used[-1] == tenant.in_vault(), "the client has the newest password")
            tenant.rotate(tenant.rotation(f"op-{number}"))
            tenant.mailu.server.limits.forget()
    assert client.failures == []
    assert len(set(client.used)) >= rotations
