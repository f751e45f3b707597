"""The stories of Vault and of the backups; those of the database are in `database_stories`, that of a leak in
`credential_stories`.

A scenario that is not named here runs too, on an untouched house, and must end well: see `Story`.
"""

from infra.grants import ESTATE_PARAMETER
from tests.crash.calls import Call, Kill
from tests.crash.credential_stories import CREDENTIAL_STORIES
from tests.crash.database_stories import DATABASE_STORIES
from tests.crash.story import Contents, Story
from tests.crash.world import World
from tests.servers.aws import PRIMARY, STANDBY
from tests.servers.vault import CANARY, contents, empty, started, write


def _is_backed_up(world: World, backed_up: Contents) -> None:
    """The night has a good backup in both regions, and Vault is as it was but for its canary."""
    new = world.new_backups(PRIMARY, "daily", "intact")
    assert [row.id for row in new if row.copy == "intact"]
    assert {row.id for row in new if row.copy == "intact"} <= {
        row.id for row in world.new_backups(STANDBY, "daily", "intact")
    }
    assert _without_canary(contents(world.server.admin())) == _without_canary(backed_up)


def _loses_secrets(world: World, backed_up: Contents) -> None:
    """Somebody changes one secret, removes another, and adds a third."""
    changed, removed = (path for path in list(_without_canary(backed_up))[:2])
    admin = world.server.admin()
    write(admin, changed, {"password": "changed-since"})
    mount, _, name = removed.partition("/")
    admin.secrets.kv.v2.delete_metadata_and_all_versions(name, mount_point=mount)
    write(admin, f"{mount}/added-since", {"password": "added-since"})


def _is_restored(world: World, backed_up: Contents) -> None:
    """Vault holds what it held, the backup is proven by it, and what was overwritten is a backup of its own."""
    assert contents(world.server.admin()) == backed_up
    (backup_id,) = world.backups_before
    assert world.house.catalog().get(backup_id).proof == "proven"
    saved = world.new_backups(PRIMARY, "pre-restore", "intact")
    assert world.executions[-1].id in {row.operation_id for row in saved}


def _is_tested(world: World, backed_up: Contents) -> None:
    """The backup is proven, no secret stays in the staging Vault, and the live one was not touched."""
    (backup_id,) = world.backups_before
    assert world.house.catalog().get(backup_id).proof == "proven"
    assert contents(world.staging.admin()) == {}
    assert _without_canary(contents(world.server.admin())) == _without_canary(backed_up)


def _leaves_secrets(world: World, backed_up: Contents) -> None:
    """A restore test dies when the staging Vault is full, and so does what would empty it."""
    empty(started(world.staging).admin())
    estate, died = f"SSM.GetParameter {ESTATE_PARAMETER} {PRIMARY}", list(world.functions.died)
    states = ("VerifyVault", "RestoreVaultSnapshotAfterFailure")
    kills = [Kill(Call(state, estate, 1), "before") for state in states]
    world.start("vault_restore_test", {"reason": "a test"}, *kills)
    assert world.functions.died == [*died, *kills]
    assert contents(world.staging.admin()) == backed_up
    world.functions.died = died
    world.take_calls()


def _leaves_secrets_again(world: World, backed_up: Contents) -> None:
    """What a death after the restore has emptied; not what an operation has: a run that is done is not done twice."""
    done = any((row["scenario"], row["status"]) == ("staging_emptying", "succeeded") for row in world.operations())
    if not done and not contents(started(world.staging).admin()):
        _leaves_secrets(world, backed_up)


def _is_emptied(world: World, backed_up: Contents) -> None:
    """No secret stays in the staging Vault, and the live one was not touched."""
    assert contents(world.staging.admin()) == {}
    assert contents(world.server.admin()) == backed_up


def _is_rebuilt(world: World, backed_up: Contents) -> None:
    """The one backup is in the catalog again."""
    assert {row.id for row in world.house.catalog().rows()} == world.backups_before


def _loses_its_catalog(world: World, backed_up: Contents) -> None:
    for name in world.backups_before:
        world.house.catalog().delete(name)


def _without_canary(held: Contents) -> Contents:
    return {path: secret for path, secret in held.items() if path != CANARY}


_TOLD = {
    story.scenario: story
    for story in (
        Story("vault_backup", holds=_is_backed_up),
        Story("vault_restore", _loses_secrets, _is_restored),
        Story("vault_restore_test", holds=_is_tested),
        Story("staging_emptying", _leaves_secrets, _is_emptied, again=_leaves_secrets_again),
        Story("catalog_rebuild", _loses_its_catalog, _is_rebuilt),
        *DATABASE_STORIES,
        *CREDENTIAL_STORIES,
    )
}


def story_of(scenario: str) -> Story:
    return _TOLD.get(scenario) or Story(scenario)
