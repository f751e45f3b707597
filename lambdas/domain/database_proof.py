"""What differs between a dump's manifest and the database that was restored from it, in words."""

from dataclasses import dataclass

from msgspec import UNSET, structs

from lambdas.domain.database_manifest import DatabaseContents, SequenceFacts, TableFacts, title
from lambdas.domain.database_properties import Rules, property_differences


@dataclass(frozen=True)
class Found:
    """What a restored database holds, as its manifest has it."""

    tables: list[TableFacts]
    large_objects: TableFacts
    sequences: list[SequenceFacts]
    extensions: dict[str, str]
    alembic: str | None
    rules: Rules


def differences(recorded: DatabaseContents, found: Found) -> list[str]:
    """Everything that is not as recorded; empty where all is."""
    wanted = {(table.schema, table.name): table for table in [*recorded.tables, recorded.large_objects]}
    there = {(table.schema, table.name): table for table in [*found.tables, found.large_objects]}
    told = [f"the table {title(*each)} is missing" for each in wanted.keys() - there.keys()]
    for schema, name in there.keys() - wanted.keys():
        if f"{schema}.{name}" not in recorded.left_out:
            told.append(f"the table {title(schema, name)} was not in the dump")
    for both in wanted.keys() & there.keys():
        told += _of_table(wanted[both], there[both])
    told += _of_sequences(recorded.sequences, found.sequences)
    lacking = sorted(set(recorded.extensions) - set(found.extensions))
    told += [f"the extension {name} is missing" for name in lacking]
    if recorded.alembic != found.alembic:
        told.append(f"its Alembic revision is {found.alembic}, and {recorded.alembic} was recorded")
    if recorded.properties is not UNSET:
        told += property_differences(recorded.properties, found.rules)
    return sorted(told)


def certain(before: list[SequenceFacts], after: list[SequenceFacts]) -> list[SequenceFacts]:
    """What is certain of the sequences of a dump that was taken between two looks at them.

    No snapshot holds a sequence still: one that was set back has the lower value, one whose direction was changed has
    none, and one that is gone is left out, as is one that has come.
    """
    later = {(each.schema, each.name): each for each in after}
    both = [(each, later[each.schema, each.name]) for each in before if (each.schema, each.name) in later]
    return [_lower(*each) for each in both]


def _lower(before: SequenceFacts, after: SequenceFacts) -> SequenceFacts:
    turned = (before.increment > 0) != (after.increment > 0)
    if before.last_value is None or not (turned or _is_behind(after, before)):
        return before
    return structs.replace(before, last_value=None if turned else after.last_value)


def _of_table(wanted: TableFacts, there: TableFacts) -> list[str]:
    if wanted.rows != there.rows:
        return [f"the table {wanted.title} has {there.rows} rows, and {wanted.rows} were recorded"]
    if wanted.checksum != there.checksum:
        return [f"rows of the table {wanted.title} differ from those recorded"]
    return []


def _of_sequences(recorded: list[SequenceFacts], found: list[SequenceFacts]) -> list[str]:
    """A sequence may be ahead of what was recorded before the dump, and never behind: it would give a value twice."""
    there = {(each.schema, each.name): each for each in found}
    told = []
    for wanted in recorded:
        other = there.get((wanted.schema, wanted.name))
        if other is None:
            told.append(f"the sequence {wanted.title} is missing")
        elif wanted.last_value is not None and _is_behind(other, wanted):
            told.append(f"the sequence {wanted.title} is behind what was recorded")
    return told


def _is_behind(found: SequenceFacts, wanted: SequenceFacts) -> bool:
    if found.last_value is None or wanted.last_value is None:
        return True
    ahead = found.last_value - wanted.last_value
    return ahead < 0 if wanted.increment > 0 else ahead > 0
