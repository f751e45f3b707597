"""When databases may change names, and what goes over from the old to the new one."""

from dataclasses import replace

import pytest

from lambdas.domain.database_errors import NothingToUndo, SwapRefused
from lambdas.domain.database_mark import Mark, Part, marked
from lambdas.domain.operation import Lease, Operation
from lambdas.domain.swap import (
    DatabaseFacts,
    Swap,
    check_swap,
    check_undo,
    kept_limit,
    newest_swap,
    setting_values,
    state,
    swap_of,
    undone_name,
    was_undone,
)

SWAP = Swap("op-1", "smtpy", "smtpy_restored", "smtpy_corrupt_20261122_030000")
UNDONE = "smtpy_undone_20261122_040000"
NEXT = "smtpy_undone_20261124_000000"
"""The name of an undoing that has not begun."""


def database(name: str, part: Part | None = None, operation: str = "op-1", verified: bool = True) -> DatabaseFacts:
    mark = Mark(operation, "b-1", verified, part, replaced=SWAP.corrupt) if part else None
    comment = marked("theirs", mark)
    return DatabaseFacts(name, 1, "owner", True, -1, comment)


def server(*databases: DatabaseFacts) -> dict[str, DatabaseFacts]:
    return {each.name: each for each in databases}


LIVE = database("smtpy")
RESTORED = database(SWAP.restored, "restored")
BEFORE = server(LIVE, RESTORED)
AFTER = server(database("smtpy", "live"), database(SWAP.corrupt, "corrupt"))
BACK = server(LIVE, database(UNDONE, "undone"))


def test_a_verified_copy_of_this_operation_may_take_the_place_of_the_live_database() -> None:
    check_swap(SWAP, BEFORE)


def test_it_may_as_well_when_there_is_no_live_database() -> None:
    check_swap(SWAP, server(RESTORED))


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (server(LIVE), "there is no database smtpy_restored"),
        (server(LIVE, database(SWAP.restored)), "smtpy_restored does not carry this operation's mark"),
        (
            server(LIVE, database(SWAP.restored, "restored", operation="op-2")),
            "smtpy_restored does not carry this operation's mark",
        ),
        (server(LIVE, database(SWAP.restored, "corrupt")), "smtpy_restored does not carry this operation's mark"),
        (
            server(LIVE, database(SWAP.restored, "restored", verified=False)),
            "smtpy_restored is not verified against its backup",
        ),
        (server(LIVE, replace(RESTORED, limit=-2)), "smtpy_restored is half dropped"),
        (server(LIVE, RESTORED, database(SWAP.corrupt)), f"there is a database {SWAP.corrupt} already"),
        (BACK, "this operation's swap was undone"),
        ({**BACK, SWAP.restored: RESTORED}, "this operation's swap was undone"),
    ],
)
def test_any_other_copy_is_refused(found: dict[str, DatabaseFacts], problem: str) -> None:
    with pytest.raises(SwapRefused, match=f"smtpy was not swapped: {problem}"):
        check_swap(SWAP, found)


@pytest.mark.parametrize(
    ("found", "how_far"),
    [
        ({}, "waiting"),
        (BEFORE, "waiting"),
        (server(database("smtpy", "live", operation="op-0"), RESTORED), "waiting"),
        (AFTER, "swapped"),
        (server(database("smtpy", "live")), "swapped"),
        (BACK, "undone"),
    ],
    ids=["an empty server", "before", "after an earlier operation", "after", "the old one was lost", "undone"],
)
def test_how_far_a_swap_is_stands_in_the_marks(found: dict[str, DatabaseFacts], how_far: str) -> None:
    assert state(SWAP, found) == how_far


def test_a_swap_in_force_may_be_undone() -> None:
    check_undo(SWAP, UNDONE, AFTER)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (BEFORE, "no swap of op-1 is in force"),
        (
            server(database("smtpy", "live", operation="op-2"), database(SWAP.corrupt, "corrupt")),
            "no swap of op-1 is in",
        ),
        (server(database("smtpy", "live")), f"its old database {SWAP.corrupt} is not there"),
        (server(database("smtpy", "live"), database(SWAP.corrupt)), f"its old database {SWAP.corrupt} is not there"),
    ],
)
def test_what_cannot_be_undone_is_refused(found: dict[str, DatabaseFacts], problem: str) -> None:
    with pytest.raises(NothingToUndo, match=problem):
        check_undo(SWAP, UNDONE, found)


OPERATION = Operation(
    "op-1",
    "database_corruption",
    "arn:aws:states:eu-west-1:111122223333:execution:mailark-database-corruption:op-1",
    "recover",
    "2026-11-22T04:00:00.5+01:00",
    Lease("database", 1),
    "damaged pages",
    "ada",
)


def test_the_names_of_an_operation_tell_what_they_are_and_when_it_began() -> None:
    swap = swap_of(OPERATION, "smtpy")
    assert swap == Swap("op-1", "smtpy", "mailark_restored_smtpy", "smtpy_corrupt_20261122_030000")
    assert undone_name(OPERATION, "smtpy") == "smtpy_undone_20261122_030000"
    assert len(swap_of(OPERATION, "s" * 38).corrupt) == 62  # the longest name that the estate may have


def test_the_swap_in_force_is_known_by_its_marks() -> None:
    found = {**AFTER, UNDONE: database(UNDONE, "undone", operation="op-0")}
    assert newest_swap("smtpy", NEXT, found) == replace(SWAP, restored="mailark_restored_smtpy")


def test_of_swaps_that_were_undone_the_last_one_counts_and_none_of_another_database() -> None:
    later, other = "smtpy_undone_20261201_000000", "smtpy2_undone_20261202_000000"
    found = server(
        LIVE,
        *(database(name, "undone", operation=name) for name in (later, other, UNDONE)),
        database("smtpy_undone_20261203_000000"),
    )
    assert newest_swap("smtpy", NEXT, found).operation == later


def test_an_undoing_finds_what_it_has_done_and_not_the_swap_before() -> None:
    found = {**AFTER, UNDONE: database(UNDONE, "undone", operation="op-2")}
    assert newest_swap("smtpy", UNDONE, found).operation == "op-2"
    assert newest_swap("smtpy", NEXT, found).operation == "op-1"


def test_a_name_that_another_has_taken_is_no_undoing() -> None:
    assert newest_swap("smtpy", NEXT, {**AFTER, NEXT: database(NEXT)}).operation == "op-1"


@pytest.mark.parametrize("found", [{}, BEFORE, server(database("smtpy", "corrupt"))])
def test_where_nothing_was_swapped_there_is_nothing_to_undo(found: dict[str, DatabaseFacts]) -> None:
    with pytest.raises(NothingToUndo, match="no operation has swapped it"):
        newest_swap("smtpy", NEXT, found)


def test_a_lost_database_cannot_be_brought_back() -> None:
    lost = Mark("op-1", "b-1", verified=True, part="live")
    with pytest.raises(NothingToUndo, match="there was no database in whose place it came"):
        newest_swap("smtpy", NEXT, server(replace(LIVE, comment=marked(None, lost))))


def test_an_undoing_is_known_again_by_its_own_name_alone() -> None:
    assert was_undone(SWAP, UNDONE, BACK)
    assert not was_undone(SWAP, f"{UNDONE}1", BACK)
    assert not was_undone(SWAP, UNDONE, AFTER)


def test_no_database_is_lost_to_the_name_of_one_that_is_put_aside() -> None:
    with pytest.raises(SwapRefused, match=f"there is a database {UNDONE} already"):
        check_undo(SWAP, UNDONE, {**AFTER, UNDONE: database(UNDONE)})


@pytest.mark.parametrize(
    ("live", "restored", "corrupt", "problem"),
    [
        ("s", "r", "c" * 64, f"{'c' * 64} is not a name of 1 to 63 bytes"),
        ("s", "ü" * 32, "c", f"{'ü' * 32} is not a name of 1 to 63 bytes"),
        ("s", "", "c", "an empty name is not a name of 1 to 63 bytes"),
        ("postgres", "r", "c", "postgres belongs to the server itself"),
        ("s", "template1", "c", "template1 belongs to the server itself"),
        ("s", "r", "s", "two of the databases would have one name"),
        ("s", "s", "c", "two of the databases would have one name"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything(live: str, restored: str, corrupt: str, problem: str) -> None:
    with pytest.raises(SwapRefused, match=problem):
        Swap("op-1", live, restored, corrupt)


def test_a_name_of_63_bytes_is_taken() -> None:
    assert Swap("op-1", "s", "r", "ü" * 31 + "c").corrupt == "ü" * 31 + "c"


@pytest.mark.parametrize(("old", "new"), [(-1, -1), (7, 7), (0, -1), (-2, -1)])
def test_a_connection_limit_goes_over_unless_it_keeps_all_out(old: int, new: int) -> None:
    assert kept_limit(old) == new


@pytest.mark.parametrize(
    ("name", "value", "values"),
    [
        ("work_mem", "7MB", ["7MB"]),
        ("DateStyle", "ISO, DMY", ["ISO, DMY"]),
        ("app.note", 'a, "b"', ['a, "b"']),
        ("search_path", '"$user", public', ["$user", "public"]),
        ("Search_Path", '"a ""b"", c",d', ['a "b", c', "d"]),
        ("search_path", '""', [""]),
        ("search_path", "", [""]),
    ],
)
def test_a_stored_setting_is_given_again_as_it_was_given_first(name: str, value: str, values: list[str]) -> None:
    assert setting_values(name, value) == values
