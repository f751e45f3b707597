"""The story of a leaked credential."""

from lambdas.domain.credential import open_password
from lambdas.domain.tenant import admin_path
from tests.crash.story import Contents, Story
from tests.crash.world import World
from tests.servers.mail import mails


def _leaks(world: World, backed_up: Contents) -> None:
    world.tenant.begin(world.house)


def _given(world: World) -> dict[str, object]:
    return {"tenant_id": world.tenant.present.id, "compromise_details": "seen in a paste", "incident_id": "INC-7"}


def _is_dead(world: World, backed_up: Contents) -> None:
    """One password works, the same in Vault, escrow and Mailu; the leaked one and every app token open nothing."""
    tenant = world.tenant.present
    password, path = tenant.in_vault(), admin_path(tenant.id)
    assert password != tenant.leaked
    assert tenant.works(password)
    assert not tenant.works(tenant.leaked)
    assert not tenant.mailu.server.state.tokens
    current = tenant.escrow().current(path)
    assert current is not None
    assert open_password(world.house.master_key, tenant.id, tenant.escrow().open(current)["password"]) == password
    assert [each.item for each in tenant.escrow().items(path) if each.state == "pending"] == []
    assert {to for mail in mails() for to in mail.to} == {tenant.email}
    assert tenant.marks()["compromised"] == "true"
    assert tenant.marks()["incident_id"] == "INC-7"


CREDENTIAL_STORIES = (Story("credential_compromise", _leaks, _is_dead, given=_given),)
