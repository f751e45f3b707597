"""Keys that other rows have taken since the backup: which of them stand against an import, once the search has ended.

Nothing in a row says whether it is another one or was merely edited, as two rules that changed places, or a user with a
new address. It matters only where something that is missing would come to hang on it: every other one has changed.
"""

from collections.abc import Sequence

from psycopg import sql

from lambdas.adapters.missing_rows import MissingRows
from lambdas.adapters.recovery_session import as_text, equal, names
from lambdas.domain.foreign_keys import ForeignKey, Table
from lambdas.domain.recovery_plan import CONFLICTS_LISTED, PARENT_TAKEN, Conflict

_TAKEN = sql.SQL("mailark_left = 0")
_PARENT = sql.SQL("mailark_parent and mailark_left is null")
"""Missing, not asked for, and in the backup others refer to it."""


class TakenKeys:
    """The rows in `found_i` that the search has marked as left out in round 0."""

    def __init__(self, missing: MissingRows) -> None:
        self._missing, self._backup = missing, missing.backup
        self.listed: list[Conflict] = []
        """Rows whose key another row has, and live rows that hang on such; the first ones, once `settle` has run."""

    def settle(self) -> None:
        """Take those for changed that nothing missing hangs on; list the others, and mark what is live in between.

        Before it, what is missing and was looked for by live rows alone goes: they refer to others by now, or to none.
        """
        missing = self._missing
        while any(self._let_go(table, _PARENT, ("found",)) for table in missing.tables):
            pass
        for table, identity in missing.identities.items():
            identity.edited(self._let_go(table, _TAKEN, ("found", "met")))
            taken = self._those(table, _TAKEN)
            if self._some(taken):
                self.listed += identity.listed(taken, CONFLICTS_LISTED - len(self.listed))
        while any(self._spread(key) for key in missing.keys.all if key.child in missing.tables):
            pass

    def _those(self, table: Table, which: sql.SQL) -> sql.Composed:
        return sql.SQL("(select * from {} where {})").format(self._missing.temp("found", table), which)

    def _some(self, rows: sql.Composed) -> bool:
        return bool(self._backup.rows(sql.SQL("select exists (select from {} t)").format(rows))[0][0])

    def _let_go(self, table: Table, which: sql.SQL, kinds: Sequence[str]) -> int:
        """Take those rows off that no row refers to which is missing, or met on the way to one; how many these are."""
        missing, backup = self._missing, self._backup
        if not self._some(self._those(table, which)):
            return 0
        back, found, own = missing.temp("back", table), missing.temp("found", table), backup.key(table)
        backup.empty(back)
        for key in missing.keys.to_parent(table):
            for kind in kinds if key.child in missing.tables else ():
                backup.run(
                    sql.SQL(
                        "insert into {} select {} from {} p join {} t on {} where t.mailark_left is null"
                    ).format(
                        back,
                        names(own, "p"),
                        missing.found_rows(table, key.parent_columns),
                        missing.found_rows(key.child, key.columns, key.within, kind),
                        equal("t", key.columns, "p", key.parent_columns),
                    )
                )  # fmt: skip
        return backup.run(
            sql.SQL("delete from {} f where {} and not exists (select from {} b where {})").format(
                found, which, back, equal("b", own, "f", own)
            )
        )

    def _spread(self, key: ForeignKey) -> int:
        """Take the rows met that refer to one whose key another row has for others too. How many these are.

        They are live, and what they refer to is not what it was: what hung on them would hang there.
        """
        missing, own = self._missing, self._backup.key(key.child)
        found = missing.temp("found", key.child)
        rows = sql.SQL(
            "from {} t join {} p on {} where p.mailark_left = 0 and not exists (select from {} g where {})"
        ).format(
            missing.found_rows(key.child, key.columns, key.within, "met"),
            missing.found_rows(key.parent, key.parent_columns),
            equal("t", key.columns, "p", key.parent_columns),
            found,
            equal("g", own, "t", own),
        )
        shown, room = as_text(own, "t", missing.hidden(key.child)), CONFLICTS_LISTED - len(self.listed)
        for texts in self._backup.rows(sql.SQL("select {} {} limit {}").format(shown, rows, room)):
            which = dict(zip(own, map(str, texts), strict=True))
            self.listed.append(Conflict(str(key.child), which, PARENT_TAKEN, key.name, list(key.columns), which))
        insert = sql.SQL("insert into {} select {}, t.mailark_step, true, 0 {}")
        return self._backup.run(insert.format(found, names(own, "t"), rows))
