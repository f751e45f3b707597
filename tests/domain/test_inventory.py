"""What a backup knows of the secrets in it: enough to prove a restore, and nothing that tells a password."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.inventory import (
    DIGEST_KEY_BYTES,
    Difference,
    Inventory,
    Restored,
    Secret,
    SecretMark,
    Window,
    compare,
    digest_of,
    mark_of,
    settle,
)

LATER = "2026-11-22T05:00:00Z"
KEY, OTHER_KEY = b"k" * DIGEST_KEY_BYTES, b"o" * DIGEST_KEY_BYTES
SECRET = Secret(
    path="smtp/a/admin",
    version=3,
    created_time="2026-11-22T01:00:00Z",
    deletion_time="",
    destroyed=False,
    custom_metadata={"compromised": "false"},
    data={"username": "admin@example.org", "password": "hunter2"},
)


def mark(secret: Secret) -> SecretMark:
    return mark_of(
        secret.path,
        secret.version,
        secret.created_time,
        secret.deletion_time,
        secret.destroyed,
        secret.custom_metadata,
    )


# --- nothing leaks ----------------------------------------------------------------------------------------


def test_a_secret_does_not_show_what_it_holds() -> None:
    assert repr(SECRET) == str(SECRET) == f"{SECRET}" == "Secret('smtp/a/admin', version=3)"
    assert repr([SECRET]) == "[Secret('smtp/a/admin', version=3)]"


def test_a_digest_is_of_no_use_without_its_key() -> None:
    assert digest_of(SECRET, KEY).digest != digest_of(SECRET, OTHER_KEY).digest
    assert len(digest_of(SECRET, KEY).digest) == 64


def test_two_tenants_with_the_same_password_have_different_digests() -> None:
    other = dataclasses.replace(SECRET, path="smtp/b/admin")
    assert digest_of(SECRET, KEY).digest != digest_of(other, KEY).digest


def test_a_digest_names_the_path_and_the_version_and_nothing_else() -> None:
    digest = digest_of(SECRET, KEY)
    assert (digest.path, digest.version) == ("smtp/a/admin", 3)
    assert "hunter2" not in repr(digest)
    assert "hunter2" not in repr(mark(SECRET))


# --- digests and marks ------------------------------------------------------------------------------------


def test_the_same_secret_has_the_same_digest_however_its_fields_are_ordered() -> None:
    other = dataclasses.replace(SECRET, data={"password": "hunter2", "username": "admin@example.org"})
    assert digest_of(SECRET, KEY) == digest_of(other, KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 4},
        {"custom_metadata": {"compromised": "true"}},
        {"custom_metadata": {}},
        {"data": {"username": "admin@example.org", "password": "hunter3"}},
        {"data": {"username": "admin@example.org"}},
        {"data": {}},
        {"data": None},
    ],
)
def test_whatever_a_secret_says_is_in_its_digest(change: dict[str, Any]) -> None:
    assert digest_of(dataclasses.replace(SECRET, **change), KEY).digest != digest_of(SECRET, KEY).digest


def test_a_deleted_version_is_not_an_empty_one() -> None:
    deleted, empty = dataclasses.replace(SECRET, data=None), dataclasses.replace(SECRET, data={})
    assert digest_of(deleted, KEY) != digest_of(empty, KEY)


@pytest.mark.parametrize("change", [{"created_time": "later"}, {"deletion_time": "later"}, {"destroyed": True}])
def test_when_a_secret_was_written_is_not_in_its_digest(change: dict[str, Any]) -> None:
    assert digest_of(dataclasses.replace(SECRET, **change), KEY) == digest_of(SECRET, KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 4},
        {"created_time": "2026-11-22T01:00:01Z"},
        {"deletion_time": "2026-11-22T01:00:01Z"},
        {"destroyed": True},
        {"custom_metadata": {"compromised": "true"}},
    ],
)
def test_whatever_touches_a_secret_changes_its_mark(change: dict[str, Any]) -> None:
    assert mark(dataclasses.replace(SECRET, **change)) != mark(SECRET)


def test_a_mark_needs_no_data() -> None:
    assert mark(dataclasses.replace(SECRET, data=None)) == mark(SECRET)


# --- a Vault that is written to while it is backed up -----------------------------------------------------

PATHS = ["smtp/a", "smtp/b", "smtp/c"]
Deed = tuple[str, str]
deeds = st.lists(
    st.tuples(st.sampled_from(["write", "delete", "undelete", "destroy", "tag", "remove"]), st.sampled_from(PATHS)),
    max_size=8,
)


@dataclass
class Vault:
    """As much of KV v2 as matters here: versions and times only rise."""

    secrets: dict[str, Secret] = field(default_factory=dict)
    ticks: int = 0

    def do(self, deed: Deed) -> None:
        what, path = deed
        self.ticks += 1
        old, now = self.secrets.get(path), datetime.fromtimestamp(self.ticks, UTC).isoformat()
        if what == "write":
            tags = old.custom_metadata if old else {}
            self.secrets[path] = Secret(path, old.version + 1 if old else 1, now, "", False, tags, {"value": now})
        elif old is None:
            return
        elif what == "remove":
            del self.secrets[path]
        elif what == "tag":
            self.secrets[path] = dataclasses.replace(old, custom_metadata={"tag": now})
        elif what == "undelete":
            if old.deletion_time and not old.destroyed:
                data = {"value": old.created_time}
                self.secrets[path] = dataclasses.replace(old, data=data, deletion_time="")
        elif old.data is not None:
            gone = {"deletion_time": now} if what == "delete" else {"destroyed": True}
            self.secrets[path] = dataclasses.replace(old, data=None, **gone)


@dataclass(frozen=True)
class Backup:
    """A backup and all that happened around it: `states[i]` is the Vault after `i` deeds, at the time `times[i]`."""

    states: list[dict[str, Secret]]
    times: list[int]
    snapshot_at: int
    before_at: dict[str, int]
    after_at: dict[str, int]

    @property
    def snapshot(self) -> dict[str, Secret]:
        return self.states[self.snapshot_at]

    @property
    def inventory(self) -> Inventory:
        before = [self.states[at][path] for path, at in self.before_at.items() if path in self.states[at]]
        after = [self.states[at][path] for path, at in self.after_at.items() if path in self.states[at]]
        return settle(map(mark, before), map(mark, after), [digest_of(secret, KEY) for secret in after])

    @property
    def window(self) -> Window:
        return Window(self.times[min(self.before_at.values())], self.times[max(self.after_at.values())] + 1)

    def touched(self, path: str) -> bool:
        """Whether a secret was touched between its two readings."""
        first, last = self.before_at[path], self.after_at[path]
        return self.states[first].get(path) != self.states[last].get(path)

    def seen(self, path: str) -> bool:
        return path in self.states[self.before_at[path]] or path in self.states[self.after_at[path]]


@st.composite
def backups(draw: st.DrawFn) -> Backup:
    """Any writes and deletions, any moment of the snapshot, and any order of reading before and after it."""
    vault, all_deeds = Vault(), draw(deeds)
    for path in draw(st.sets(st.sampled_from(PATHS))):
        vault.do(("write", path))
    states, times = [dict(vault.secrets)], [vault.ticks]
    for deed in all_deeds:
        vault.do(deed)
        states.append(dict(vault.secrets))
        times.append(vault.ticks)
    snapshot_at = draw(st.integers(0, len(all_deeds)))
    before_at = {path: draw(st.integers(0, snapshot_at)) for path in PATHS}
    after_at = {path: draw(st.integers(snapshot_at, len(all_deeds))) for path in PATHS}
    return Backup(states, times, snapshot_at, before_at, after_at)


NEVER = Window(0, 0)


def restored(secrets: Iterable[Secret], window: Window = NEVER) -> list[Restored]:
    return [Restored(digest_of(secret, KEY), window.covers(secret)) for secret in secrets]


@given(backups())
def test_what_nobody_touched_is_certain_and_everything_else_is_listed(backup: Backup) -> None:
    certain = [digest.path for digest in backup.inventory.secrets]
    assert certain == [path for path in PATHS if backup.seen(path) and not backup.touched(path)]
    assert backup.inventory.written_meanwhile == [path for path in PATHS if backup.seen(path) and backup.touched(path)]


@given(backups())
def test_what_is_certain_is_in_the_snapshot_as_it_was_read_unless_it_was_deleted_and_undeleted(backup: Backup) -> None:
    for digest in backup.inventory.secrets:
        found = backup.snapshot[digest.path]
        assert digest == digest_of(found, KEY) or (found.data is None and backup.window.covers(found))


@given(backups())
def test_a_restore_of_the_snapshot_never_differs_whatever_happened_while_it_was_taken(backup: Backup) -> None:
    difference = compare(backup.inventory, restored(backup.snapshot.values(), backup.window))
    assert difference.none, difference


@pytest.mark.parametrize(
    "change",
    [
        {"version": 99},
        {"custom_metadata": {"tag": "other"}},
        {"data": {"value": "other"}},
        {"data": {}},
    ],
)
@given(backup=backups())
def test_any_change_of_a_certain_secret_is_found(backup: Backup, change: dict[str, Any]) -> None:
    inventory = backup.inventory
    for digest in inventory.secrets:
        other = dataclasses.replace(backup.snapshot[digest.path], **change)
        world = backup.snapshot | {digest.path: dataclasses.replace(other, created_time=LATER, deletion_time="")}
        assert compare(inventory, restored(world.values(), backup.window)).changed == [digest.path]


@given(backups())
def test_the_loss_of_a_certain_secret_is_found(backup: Backup) -> None:
    inventory = backup.inventory
    for digest in inventory.secrets:
        left = [each for path, each in backup.snapshot.items() if path != digest.path]
        assert compare(inventory, restored(left, backup.window)).missing == [digest.path]


@given(backups())
def test_a_secret_that_was_not_there_is_found(backup: Backup) -> None:
    stranger = dataclasses.replace(SECRET, path="smtp/stranger")
    difference = compare(backup.inventory, restored([*backup.snapshot.values(), stranger], backup.window))
    assert difference.added == ["smtp/stranger"]


@given(backups(), st.sampled_from(["absent", "other", "as read"]))
def test_what_was_written_meanwhile_is_held_against_nobody(backup: Backup, how: str) -> None:
    inventory = backup.inventory
    certain = {path: each for path, each in backup.snapshot.items() if path not in inventory.written_meanwhile}
    strangers = {path: dataclasses.replace(SECRET, path=path) for path in inventory.written_meanwhile}
    last = {path: each for path, each in backup.states[-1].items() if path in inventory.written_meanwhile}
    world = certain | {"absent": {}, "other": strangers, "as read": last}[how]
    assert compare(inventory, restored(world.values())) == compare(inventory, restored(certain.values()))


@pytest.mark.parametrize(("second", "added"), [(9, True), (10, False), (19, False), (20, True)])
def test_a_secret_that_came_and_went_while_the_backup_was_taken_is_no_difference(second: int, added: bool) -> None:
    """Neither reading saw it, and the snapshot may hold it; one that Vault stamped at another time is a stranger."""
    inventory = settle([mark(SECRET)], [mark(SECRET)], [digest_of(SECRET, KEY)])
    brief = dataclasses.replace(SECRET, path="smtp/brief", created_time=f"1970-01-01T00:00:{second:02}.123456789Z")
    difference = compare(inventory, restored([SECRET, brief], Window(since=10, until=20)))
    assert difference.added == (["smtp/brief"] if added else [])


@pytest.mark.parametrize(("second", "changed"), [(9, True), (10, False), (19, False), (20, True)])
def test_a_secret_that_was_deleted_and_undeleted_while_the_backup_was_taken_is_no_difference(
    second: int, changed: bool
) -> None:
    inventory = settle([mark(SECRET)], [mark(SECRET)], [digest_of(SECRET, KEY)])
    deleted = dataclasses.replace(SECRET, data=None, deletion_time=f"1970-01-01T00:00:{second:02}.123456789Z")
    difference = compare(inventory, restored([deleted], Window(since=10, until=20)))
    assert difference.changed == ([SECRET.path] if changed else [])


def test_a_secret_that_is_lost_is_a_difference_whenever_it_was_written() -> None:
    inventory = settle([mark(SECRET)], [mark(SECRET)], [digest_of(SECRET, KEY)])
    assert compare(inventory, []).missing == [SECRET.path]


# --- the words of a difference ----------------------------------------------------------------------------


def test_no_difference_is_the_proof() -> None:
    inventory = Inventory([digest_of(SECRET, KEY)], [])
    difference = compare(inventory, restored([SECRET]))
    assert difference == Difference([], [], [], compared=1)
    assert difference.none
    assert str(difference) == "of 1 secrets, none differs"


@pytest.mark.parametrize("name", ["missing", "changed", "added"])
def test_one_difference_of_any_kind_is_a_difference(name: str) -> None:
    lists: dict[str, list[str]] = {"missing": [], "changed": [], "added": []} | {name: ["smtp/a", "smtp/b"]}
    difference = Difference(compared=3, **lists)
    assert not difference.none
    assert str(difference) == f"of 3 secrets, 2 {name} (such as smtp/a)"


def test_a_difference_names_one_of_each_kind() -> None:
    difference = Difference(missing=["a"], changed=["b", "c"], added=["d"], compared=9)
    assert str(difference) == "of 9 secrets, 1 missing (such as a), 2 changed (such as b), 1 added (such as d)"


def test_an_inventory_is_sorted_by_path() -> None:
    secrets = [dataclasses.replace(SECRET, path=path) for path in ("c", "a", "b")]
    marks = [mark(secret) for secret in secrets]
    inventory = settle(marks, marks, [digest_of(secret, KEY) for secret in secrets])
    assert [digest.path for digest in inventory.secrets] == ["a", "b", "c"]
