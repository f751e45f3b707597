"""The rules of a swap: which database takes which name, when it may, and what goes over from the old to the new one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from lambdas.domain.database_errors import NothingToUndo, SwapRefused, SwapTooOld
from lambdas.domain.database_mark import Mark, mark_in
from lambdas.domain.operation import Operation
from lambdas.domain.throwaway import throwaway_name

NAME_BYTES = 63
"""PostgreSQL cuts longer names without an error, NAMEDATALEN - 1 (PostgreSQL manual, "Identifiers and Key Words")."""

RESERVED = frozenset({"postgres", "template0", "template1"})

_CORRUPT, _UNDONE = "_corrupt_", "_undone_"
_STAMP = "%Y%m%d_%H%M%S"

_UNAIMED = timedelta(hours=24)
"""How old a swap may be that is undone without its name: whoever swapped it looks at it for so long."""

State = Literal["waiting", "swapped", "undone"]

_LISTS = frozenset(
    {
        *("search_path", "temp_tablespaces", "unix_socket_directories"),
        *("local_preload_libraries", "session_preload_libraries", "shared_preload_libraries"),
    }
)
"""Settings that hold a list of quoted names (pg_dump's dumputils.c, variable_is_guc_list_quote)."""

_ITEM = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^\s,"]+)')


@dataclass(frozen=True)
class Swap:
    """One operation's swap: `restored` becomes `live`, and what was `live` becomes `corrupt`.

    Raises `SwapRefused` for names that PostgreSQL would cut, that meet, or that belong to the server itself.
    """

    operation: str
    live: str
    restored: str
    corrupt: str

    def __post_init__(self) -> None:
        check_names(self.live, self.live, self.restored, self.corrupt)


@dataclass(frozen=True)
class DatabaseFacts:
    """One database of a server, as the catalog has it; `limit` is -1 for none, -2 for one that is half dropped."""

    name: str
    oid: int
    owner: str
    opened: bool
    limit: int
    comment: str | None

    @property
    def mark(self) -> Mark | None:
        return mark_in(self.comment)

    @property
    def half_dropped(self) -> bool:
        """Whether a DROP DATABASE was interrupted: PostgreSQL takes no connection to it, and no ALTER DATABASE."""
        return self.limit == -2


def swap_of(operation: Operation, live: str) -> Swap:
    """The swap of an operation, whose names are the same in each of its runs. Raises `SwapRefused`."""
    restored = throwaway_name("restored", live)
    return Swap(operation.id, live, restored, f"{live}{_CORRUPT}{_stamp(operation)}")


def undone_name(operation: Operation, live: str) -> str:
    """The name that an operation gives to a database that it takes out again."""
    return f"{live}{_UNDONE}{_stamp(operation)}"


def newest_swap(live: str, undone: str, found: Mapping[str, DatabaseFacts]) -> Swap:
    """The swap that has been undone as `undone`, or else the one in force, or else the one that was undone last.

    So an undoing that runs again finds what it did, and not the swap before. Raises `NothingToUndo`.
    """
    earlier = sorted(name for name in found if name.startswith(f"{live}{_UNDONE}"))
    marks = [found[name].mark for name in (*earlier, live, undone) if name in found]
    swapped = [mark for mark in marks if mark and mark.part in ("live", "undone")]
    if not swapped:
        raise NothingToUndo(database=live, problem="no operation has swapped it")
    last = swapped[-1]
    if last.replaced is None:
        raise NothingToUndo(database=live, problem="there was no database in whose place it came")
    return Swap(last.operation, live, throwaway_name("restored", live), last.replaced)


def check_aim(swap: Swap, kept_as: str | None, operation: Operation) -> None:
    """Raise unless a swap is the one that an operation is to undo: by what it has put aside, or since it is recent.

    `NothingToUndo` where `kept_as` is something else, and `SwapTooOld` where nothing is named.
    """
    if kept_as is not None and kept_as != swap.corrupt:
        problem = f"the newest one has put {swap.corrupt} aside, and not {kept_as}"
        raise NothingToUndo(database=swap.live, problem=problem)
    if kept_as is None:
        at = datetime.strptime(swap.corrupt.removeprefix(f"{swap.live}{_CORRUPT}"), _STAMP).replace(tzinfo=UTC)
        if datetime.fromisoformat(operation.started_at) - at > _UNAIMED:
            hours = _UNAIMED // timedelta(hours=1)
            raise SwapTooOld(database=swap.live, at=at.isoformat(), hours=hours, kept_as=swap.corrupt)


def check_not_again(swap: Swap, found: Mapping[str, DatabaseFacts]) -> None:
    """Raise `NothingToUndo` where a swap that was made after this one has been undone already.

    Who starts an undoing once more wants what it has done, and not the swap before as well.
    """
    for name in found:
        later = name.startswith(f"{swap.live}{_UNDONE}") and _is_undone(found[name])
        if later and name.removeprefix(f"{swap.live}{_UNDONE}") > swap.corrupt.removeprefix(f"{swap.live}{_CORRUPT}"):
            problem = f"the newest one is undone, as {name}; the one before it has put {swap.corrupt} aside: name that"
            raise NothingToUndo(database=swap.live, problem=problem)


def _is_undone(database: DatabaseFacts) -> bool:
    return database.mark is not None and database.mark.part == "undone"


def check_names(live: str, *names: str) -> None:
    """Raises `SwapRefused` unless each name is one that PostgreSQL takes as it is, and no two are the same."""
    for name in names:
        if not name or len(name.encode()) > NAME_BYTES:
            raise SwapRefused(
                database=live, problem=f"{name or 'an empty name'} is not a name of 1 to {NAME_BYTES} bytes"
            )
        if name in RESERVED:
            raise SwapRefused(database=live, problem=f"{name} belongs to the server itself")
    if len(set(names)) < len(names):
        raise SwapRefused(database=live, problem="two of the databases would have one name")


def state(swap: Swap, found: Mapping[str, DatabaseFacts]) -> State:
    """How far a swap is: `waiting` for its turn, done, or done and undone. `found`: the server's databases by name."""
    live = found.get(swap.live)
    if _is(live, swap, "live"):
        return "swapped"
    return "undone" if any(_is(each, swap, "undone") for each in found.values()) else "waiting"


def check_swap(swap: Swap, found: Mapping[str, DatabaseFacts]) -> None:
    """Raises `SwapRefused` unless a swap that waits may be done now, be there a live database or none."""
    restored = found.get(swap.restored)

    def refuse(problem: str) -> None:
        raise SwapRefused(database=swap.live, problem=problem)

    if state(swap, found) == "undone":
        refuse("this operation's swap was undone")
    if restored is None:
        refuse(f"there is no database {swap.restored}")
    elif not _is(restored, swap, "restored"):
        refuse(f"{swap.restored} does not carry this operation's mark")
    elif not (restored.mark and restored.mark.verified):
        refuse(f"{swap.restored} is not verified against its backup")
    elif restored.half_dropped:
        refuse(f"{swap.restored} is half dropped")
    elif swap.corrupt in found:
        refuse(f"there is a database {swap.corrupt} already")


def check_undo(swap: Swap, undone: str, found: Mapping[str, DatabaseFacts]) -> None:
    """Raises `NothingToUndo` unless the swap is in force and the old database there, `SwapRefused` for a name."""
    check_names(swap.live, swap.live, swap.corrupt, undone)
    if state(swap, found) != "swapped":
        raise NothingToUndo(database=swap.live, problem=f"no swap of {swap.operation} is in force")
    if not _is(found.get(swap.corrupt), swap, "corrupt"):
        raise NothingToUndo(database=swap.live, problem=f"its old database {swap.corrupt} is not there")
    if undone in found:
        raise SwapRefused(database=swap.live, problem=f"there is a database {undone} already")


def was_undone(swap: Swap, undone: str, found: Mapping[str, DatabaseFacts]) -> bool:
    """Whether the swap was undone under that very name: by an earlier run of the same operation."""
    return state(swap, found) == "undone" and _is(found.get(undone), swap, "undone")


def kept_limit(limit: int) -> int:
    """The connection limit that goes over: not 0, by which somebody kept all out, nor that of a half-dropped one."""
    return limit if limit > 0 else -1


def setting_values(name: str, value: str) -> list[str]:
    """The values of a stored setting, as `ALTER DATABASE … SET name TO value, …` takes them."""
    if name.lower() not in _LISTS:
        return [value]
    items = list(_ITEM.finditer(value))
    return [m["plain"] if m["quoted"] is None else m["quoted"].replace('""', '"') for m in items] or [""]


def _stamp(operation: Operation) -> str:
    return datetime.fromisoformat(operation.started_at).astimezone(UTC).strftime(_STAMP)


def _is(database: DatabaseFacts | None, swap: Swap, part: str) -> bool:
    mark = database.mark if database else None
    return mark is not None and (mark.operation, mark.part) == (swap.operation, part)
