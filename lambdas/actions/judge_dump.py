"""Hold a stored dump against the last ones: one without tables, or of half their size, is good only if it is meant."""

from dataclasses import dataclass

from lambdas.adapters.catalog import Catalog
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.database_loss import refuse_what_looks_lost
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class JudgeDump:
    """`accept_loss` lets it pass, since a person said that it is meant."""

    operation: Operation
    backup_id: str
    tables: int
    accept_loss: bool = False


@dataclass(frozen=True)
class DumpJudged:
    """`median_size` is that of the last good dumps, in bytes; None without any, and where a loss was accepted."""

    median_size: int | None


@action(JudgeDump)
def handler(request: JudgeDump, run: Run) -> DumpJudged:
    if request.accept_loss:
        return DumpJudged(None)
    catalog = Catalog(run.settings.region, run.settings["CATALOG_TABLE"])
    return DumpJudged(refuse_what_looks_lost(catalog.rows(), catalog.get(request.backup_id), request.tables))
