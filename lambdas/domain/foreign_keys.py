"""Which table refers to which: what hangs together, and in which order it can be brought back, parents first."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, order=True)
class Table:
    """A table by its schema and name, both as the catalog has them."""

    schema: str
    name: str

    def __str__(self) -> str:
        """As SQL has it, quoted where it must be: `public.users`, `public."Order Items"`."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"


def quoted(name: str) -> str:
    """A name as a person would write it in SQL; keywords are not looked for, so build no statement with it."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, order=True)
class ForeignKey:
    """`columns` of `child` refer to `parent_columns` of `parent`, in this order.

    `within` is the table that declares it: `child` itself, or one of its partitions.
    """

    child: Table
    name: str
    columns: tuple[str, ...]
    parent: Table
    parent_columns: tuple[str, ...]
    within: Table
    deferrable: bool = False


class ForeignKeys:
    """All foreign keys of a database, as a graph: tables are its nodes, and an edge leads from child to parent."""

    def __init__(self, keys: Iterable[ForeignKey]) -> None:
        self.all = sorted(keys)
        self._of_child: dict[Table, list[ForeignKey]] = {}
        self._of_parent: dict[Table, list[ForeignKey]] = {}
        for key in self.all:
            self._of_child.setdefault(key.child, []).append(key)
            self._of_parent.setdefault(key.parent, []).append(key)

    def from_child(self, table: Table) -> list[ForeignKey]:
        """The keys by which a table refers to others, or to itself."""
        return self._of_child.get(table, [])

    def to_parent(self, table: Table) -> list[ForeignKey]:
        """The keys by which others, or the table itself, refer to it."""
        return self._of_parent.get(table, [])

    def below(self, tables: Iterable[Table]) -> set[Table]:
        """These tables and all that refer to them, over any number of steps."""
        return _closure(tables, {parent: [key.child for key in keys] for parent, keys in self._of_parent.items()})

    def above(self, tables: Iterable[Table]) -> set[Table]:
        """These tables and all that they refer to, over any number of steps."""
        return _closure(tables, {child: [key.parent for key in keys] for child, keys in self._of_child.items()})

    def import_order(self, tables: Collection[Table]) -> list[list[Table]]:
        """These tables in groups, so that what a group refers to comes before it.

        A group of several is a cycle of keys that are checked at once: its rows must be inserted by one statement.
        Deferrable keys order what they can, and nothing inside of a cycle: they are checked at the end.
        """
        chosen = set(tables)
        edges = {t: {k.parent for k in self.from_child(t)} & chosen for t in chosen}
        strict = {t: {k.parent for k in self.from_child(t) if not k.deferrable} & chosen for t in chosen}
        order: list[list[Table]] = []
        for group in components(edges):
            inside = set(group)
            order += components({table: strict[table] & inside for table in group})
        return order


def components(edges: Mapping[Table, Collection[Table]]) -> list[list[Table]]:
    """The strongly connected components of a graph, each sorted, those that an edge leads to first (Tarjan, 1972).

    The same graph gives the same list, whatever its order; there is no recursion, so no depth is too deep.
    """
    index: dict[Table, int] = {}
    low: dict[Table, int] = {}
    open_nodes: list[Table] = []
    is_open: set[Table] = set()
    found: list[list[Table]] = []
    for start in sorted(edges):
        if start in index:
            continue
        path = [(start, iter(sorted(edges[start])))]
        index[start] = low[start] = len(index)
        open_nodes.append(start)
        is_open.add(start)
        while path:
            node, following = path[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    open_nodes.append(other)
                    is_open.add(other)
                    path.append((other, iter(sorted(edges[other]))))
                    break
                if other in is_open:
                    low[node] = min(low[node], index[other])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = open_nodes.index(node)
                    group = open_nodes[cut:]
                    del open_nodes[cut:]
                    is_open -= set(group)
                    found.append(sorted(group))
    return found


def _closure(start: Iterable[Table], edges: Mapping[Table, Collection[Table]]) -> set[Table]:
    reached = set(start)
    ahead = list(reached)
    while ahead:
        fresh = set(edges.get(ahead.pop(), ())) - reached
        reached |= fresh
        ahead += fresh
    return reached
