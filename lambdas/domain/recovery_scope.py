"""What of a database is to be brought back: tables, each whole or with a condition, as a person gives them.

A condition is SQL, and is read here only as far as it takes to see that it ends where it seems to: it is put into
parentheses, must be one expression, and is run in a transaction that may read alone, by a role that may read alone.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_errors import RecoveryConditionInvalid, RecoveryTableUnknown
from lambdas.domain.recovery_plan import OnConflict

_TOKEN = re.compile(
    r"""
      (?P<comment> -- | /\* )
    | (?P<escaped> (?<![\w$\x80-\U0010ffff]) [eE]'(?: [^'\\] | \\. | '' )*' )
    | (?P<prefixed> (?<![\w$\x80-\U0010ffff]) (?: [uU]& | [bBnNxX] )'(?: [^'] | '' )*' )
    | (?P<glued> (?<=[\w$\x80-\U0010ffff])' )
    | (?P<text> '(?: [^'] | '' )*' )
    | (?P<name> "(?: [^"] | "" )*" )
    | (?P<dollar> (?<![\w$\x80-\U0010ffff]) \$(?P<tag> (?: [a-zA-Z_\x80-\U0010ffff][\w\x80-\U0010ffff]* )? )\$
          .*? \$(?P=tag)\$ )
    | (?P<quote> ['"] | (?<![\w$\x80-\U0010ffff]) \$(?: [a-zA-Z_\x80-\U0010ffff][\w\x80-\U0010ffff]* )?\$ )
    | (?P<end> [;\0] )
    | (?P<open> \( )
    | (?P<close> \) )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
"""PostgreSQL manual, "Lexical Structure". What begins a quote and is none by these rules never closes."""
_REFUSED = {
    "comment": "it holds a comment",
    "glued": "a quote follows a letter or digit, where a space is missing",
    "quote": "a quote in it is not closed",
    "end": "it goes on after a semicolon",
}


class ScopeItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A table as a person names it (`users`, `public.users`), and which of its rows: all, or those `where` holds."""

    table: Annotated[str, Meta(min_length=1, max_length=200)]
    where: Annotated[str, Meta(max_length=2000)] = ""


@dataclass(frozen=True)
class Deletion:
    """What a person says of deleted rows: gone at `before`, in these tables; `export` wants CSV and no import."""

    before: datetime
    scope: list[ScopeItem]
    on_conflict: OnConflict
    export: bool


def check_condition(table: str, where: str) -> str:
    """The condition, if it is one expression that stays in its parentheses. Raises `RecoveryConditionInvalid`."""
    depth = 0
    for token in _TOKEN.finditer(where):
        kind = token.lastgroup if token.lastgroup != "tag" else "dollar"
        if problem := _REFUSED.get(str(kind)):
            raise RecoveryConditionInvalid(table=table, problem=problem)
        depth += (kind == "open") - (kind == "close")
        if depth < 0:
            raise RecoveryConditionInvalid(table=table, problem="it closes a parenthesis that it has not opened")
    if depth:
        raise RecoveryConditionInvalid(table=table, problem="a parenthesis in it is not closed")
    if not where.strip():
        raise RecoveryConditionInvalid(table=table, problem="it is empty")
    return where


def find_table(text: str, tables: Collection[Table]) -> Table:
    """The table that a person means: by schema and name, or by its name alone where only one has it, or `public`'s.

    Raises `RecoveryTableUnknown`.
    """
    full = [table for table in tables if text in (str(table), f"{table.schema}.{table.name}")]
    bare = [table for table in tables if text in (table.name, str(table).removeprefix(f"{table.schema}."))]
    for found in (full, bare, [table for table in bare if table.schema == "public"]):
        if len(found) == 1:
            return found[0]
    known = ", ".join(str(table) for table in sorted(bare or tables)[:20])
    raise RecoveryTableUnknown(table=text, known=known or "none")
