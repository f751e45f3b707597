"""The escrow of credentials: kept once, opened by its own key alone, and one value of each that works."""

import dataclasses

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.envelope import Envelope, OfflineEnvelope
from lambdas.adapters.escrow import Escrow
from lambdas.adapters.tables import from_item, to_item
from lambdas.domain.credential_errors import EscrowItemDamaged, EscrowItemMissing
from lambdas.domain.escrow import State
from tests.servers.aws import PRIMARY, STANDBY, aws, make_key, refused, replica

pytestmark = pytest.mark.usefixtures("_clean")

PATH = "smtp/550e8400-e29b-41d4-a716-446655440000/admin"
OTHER = "smtp/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/admin"
VALUES = {"username": "admin@example.org", "password": "AAEC-the-platform-sealed-this"}
MORE = VALUES | {"password": "BBFD-and-this"}
BEFORE, NOW, LATER = (f"2026-11-22T0{hour}:00:00+00:00" for hour in (1, 2, 3))


@pytest.fixture(scope="module")
def kms_key() -> str:
    return make_key()


@pytest.fixture
def escrow(escrow_table: str, kms_key: str, offline_public: str) -> Escrow:
    return Escrow(PRIMARY, escrow_table, Envelope(kms_key, offline_public))


def _states(escrow: Escrow, path: str = PATH) -> dict[str, State]:
    return {each.item: each.state for each in escrow.items(path)}


def _rotated(escrow: Escrow, *items: str) -> None:
    for item in items:
        escrow.put_pending(PATH, item, VALUES | {"password": item}, NOW)
        escrow.make_current(PATH, item, LATER)


# --- keeping a value --------------------------------------------------------------------------------------


def test_a_value_is_kept_before_it_is_set_and_opens_as_it_was(escrow: Escrow) -> None:
    kept = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    assert (kept.state, kept.vault_version, kept.created_at) == ("pending", 0, NOW)
    assert escrow.get(PATH, "op-1") == kept
    assert escrow.open(kept) == VALUES
    assert escrow.current(PATH) is None


def test_an_operation_that_is_started_again_goes_on_with_the_value_that_it_has_kept(escrow: Escrow) -> None:
    """Otherwise the mail server might have the one, and Vault get the other."""
    first = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    assert escrow.put_pending(PATH, "op-1", MORE, LATER) == first
    assert escrow.open(escrow.get(PATH, "op-1")) == VALUES


def test_no_value_lies_in_the_table_in_the_clear(escrow: Escrow) -> None:
    escrow.put_pending(PATH, "op-1", VALUES, NOW)
    items = aws("dynamodb").scan(TableName="mailark-escrow")["Items"]
    assert not any(value in str(items) for value in VALUES.values())


def test_the_operators_offline_key_opens_a_value_without_aws(escrow: Escrow, offline_private: str) -> None:
    kept = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    opened = OfflineEnvelope(offline_private).unwrap(kept.sealed, kept.context)
    assert opened == b'{"username":"admin@example.org","password":"AAEC-the-platform-sealed-this"}'


def test_the_other_region_opens_a_value_that_was_copied_there(escrow: Escrow, kms_key: str) -> None:
    kept = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    there = Escrow(STANDBY, "mailark-escrow", Envelope(replica(kms_key)))
    assert there.open(kept) == VALUES


def test_a_value_that_nobody_kept_is_named(escrow: Escrow) -> None:
    with pytest.raises(EscrowItemMissing) as told:
        escrow.get(PATH, "op-1")
    assert str(told.value) == (
        f"escrow-item-missing: The escrow has no value op-1 of {PATH}.\n"
        "Next: Start the scenario again: it makes a new value, and nothing was set yet that it would have to know."
    )


@pytest.mark.parametrize("moved_to", [(OTHER, "op-1"), (PATH, "op-2")])
def test_a_value_that_was_put_in_the_place_of_another_does_not_open(moved_to: tuple[str, str], escrow: Escrow) -> None:
    kept = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    path, item = moved_to
    with pytest.raises(EscrowItemDamaged, match=f"The value {item} of {path} in the escrow does not open"):
        escrow.open(dataclasses.replace(kept, path=path, item=item))


def test_a_value_that_was_changed_does_not_open(escrow: Escrow) -> None:
    kept = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    for sealed in (kept.sealed[:-8] + "AAAAAAA=", kept.sealed[: len(kept.sealed) // 8 * 4], "no base64!", ""):
        with pytest.raises(EscrowItemDamaged, match="escrow-item-damaged"):
            escrow.open(dataclasses.replace(kept, sealed=sealed))


# --- which one works --------------------------------------------------------------------------------------


def test_a_value_that_works_takes_the_place_of_the_one_before_it(escrow: Escrow) -> None:
    _rotated(escrow, "op-1", "op-2")
    assert _states(escrow) == {"op-1": "superseded", "op-2": "current"}
    current = escrow.current(PATH)
    assert current is not None
    assert escrow.open(current)["password"] == "op-2"
    assert [each.ended_at for each in escrow.items(PATH)] == [LATER, ""]


def test_a_value_that_somebody_else_knew_is_compromised_and_not_superseded(escrow: Escrow) -> None:
    _rotated(escrow, "op-1")
    escrow.put_pending(PATH, "op-2", MORE, NOW)
    escrow.make_current(PATH, "op-2", LATER, "compromised")
    assert _states(escrow) == {"op-1": "compromised", "op-2": "current"}


def test_saying_twice_that_a_value_works_changes_nothing_more(escrow: Escrow) -> None:
    _rotated(escrow, "op-1", "op-2")
    before = escrow.items(PATH)
    assert escrow.make_current(PATH, "op-2", LATER).state == "current"
    assert escrow.items(PATH) == before


def test_a_value_that_was_replaced_does_not_come_back(escrow: Escrow) -> None:
    """An action of an operation that ended long ago is run once more."""
    _rotated(escrow, "op-1", "op-2")
    assert escrow.make_current(PATH, "op-1", LATER).state == "superseded"
    assert _states(escrow) == {"op-1": "superseded", "op-2": "current"}


def test_of_two_at_once_neither_leaves_two_values_that_work(escrow: Escrow, monkeypatch: pytest.MonkeyPatch) -> None:
    _rotated(escrow, "op-1")
    for item in ("op-2", "op-3"):
        escrow.put_pending(PATH, item, MORE, NOW)
    stale = escrow.items(PATH)
    escrow.make_current(PATH, "op-2", LATER)
    monkeypatch.setattr(Escrow, "items", lambda *_: stale)  # what the second one had read before
    monkeypatch.setattr(Escrow, "get", lambda *_: stale[-1])
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        escrow.make_current(PATH, "op-3", LATER)
    monkeypatch.undo()
    assert _states(escrow) == {"op-1": "superseded", "op-2": "current", "op-3": "superseded"}


def test_what_another_operation_left_pending_is_over_too(escrow: Escrow) -> None:
    """It died after it had set its value: who knew that one has to lose it as well."""
    _rotated(escrow, "op-1")
    for item in ("op-2", "op-3"):
        escrow.put_pending(PATH, item, MORE, NOW)
    escrow.make_current(PATH, "op-3", LATER, "compromised")
    assert _states(escrow) == {"op-1": "compromised", "op-2": "compromised", "op-3": "current"}


def test_credentials_do_not_know_of_each_other(escrow: Escrow) -> None:
    _rotated(escrow, "op-1")
    escrow.put_pending(OTHER, "op-1", MORE, NOW)
    assert escrow.current(OTHER) is None
    assert _states(escrow, OTHER) == {"op-1": "pending"}


def test_the_version_in_vault_is_kept_with_the_value(escrow: Escrow) -> None:
    kept = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    assert escrow.published(kept, 7) == escrow.get(PATH, "op-1") == dataclasses.replace(kept, vault_version=7)


def test_values_are_listed_from_the_oldest_on(escrow: Escrow) -> None:
    for item, at in (("b", NOW), ("c", BEFORE), ("a", LATER)):
        escrow.put_pending(PATH, item, VALUES, at)
    assert [each.item for each in escrow.items(PATH)] == ["c", "b", "a"]


def test_what_dynamodb_refuses_is_no_value_that_was_kept(escrow: Escrow) -> None:
    with refused("PutItem", "AccessDeniedException"), pytest.raises(Exception, match="AccessDenied"):
        escrow.put_pending(PATH, "op-1", VALUES, NOW)
    assert escrow.items(PATH) == []


def test_an_item_is_read_as_it_was_written(escrow: Escrow) -> None:
    kept = escrow.put_pending(PATH, "op-1", VALUES, NOW)
    raw = aws("dynamodb").get_item(TableName="mailark-escrow", Key=to_item({"path": PATH, "item": "op-1"}))["Item"]
    assert from_item(raw) == dataclasses.asdict(kept)
