"""`export_rows`: the rows that could come back as CSV with headers, a file a table; nothing is imported."""

import csv
import io

from tests.actions.database_house import Databases
from tests.actions.deleted_rows import TABLES, delete_customer, work_text
from tests.actions.house import House, SavedBackup


def test_each_table_has_a_file_with_its_missing_rows_however_often_it_is_written(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    now = database.contents()
    event = {"operation": deleted.operation, "scope": deleted.scope}
    first, second = (house.run("export_rows", event)["files"] for _ in range(2))
    assert first == second
    files = {file.rpartition("/")[2].removesuffix(".csv"): file for file in first}
    for table in TABLES:
        rows = list(csv.DictReader(io.StringIO(work_text(house, files[f"public.{table}"]))))
        assert len(rows) == deleted.before[table][0] - now[table][0]
    (organization,) = csv.DictReader(io.StringIO(work_text(house, files["public.organizations"])))
    assert organization["id"] == str(deleted.customer)
    assert database.contents() == now


def test_where_nothing_is_missing_there_is_no_file(house: House, database: Databases, dumped: SavedBackup) -> None:
    deleted = delete_customer(house, database, dumped)
    event = {"operation": deleted.operation, "scope": [{"table": "alembic_version"}]}
    files = house.run("export_rows", event)["files"]
    assert all(work_text(house, file).count("\n") <= 1 for file in files)
