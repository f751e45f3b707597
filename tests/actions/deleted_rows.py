"""A customer whom somebody has deleted, and the backup that still has them, restored on the staging server."""

from dataclasses import dataclass
from typing import Any

from lab.forwarding_service import DATABASE
from lambdas.domain.operation import Operation
from tests.actions.database_house import DUMP, NIGHT, Databases
from tests.actions.house import House, SavedBackup

FROM = "2026-11-22T03:00:00+00:00"
DELETED_AT = "2026-11-22T09:15:00+00:00"
TABLES = ("organizations", "users", "domains", "aliases", "messages")


@dataclass
class Deleted:
    """The operation that is to bring a customer back, and what the live database held before the deletion."""

    operation: Operation
    customer: int
    before: dict[str, tuple[Any, ...]]

    @property
    def scope(self) -> list[dict[str, str]]:
        return [{"table": "organizations", "where": f"id = {self.customer}"}]

    @property
    def lost_since(self) -> dict[str, Any]:
        """What `find_lost_rows` is given."""
        return {"operation": self.operation, "data_from": FROM, "deleted_at": DELETED_AT}

    def plan(self, house: House, **more: object) -> dict[str, Any]:
        """What `plan_row_recovery` says."""
        event = {"operation": self.operation, "backup_id": DUMP, "data_from": FROM, "deleted_at": DELETED_AT}
        asked = {"scope": self.scope, "on_conflict": "stop"}
        planned: dict[str, Any] = house.run("plan_row_recovery", event | asked | more)
        return planned


def delete_customer(house: House, database: Databases, dumped: SavedBackup) -> Deleted:
    """Restore the backup beside, prove it, and delete a customer with messages from the live database."""
    dumped.put(house)
    operation = house.operation("data_deletion", started_at=NIGHT)
    event = {"operation": operation, "backup_id": DUMP, "purpose": "before", "place": "staging"}
    house.run("restore_database", event)
    house.run("verify_database", event)
    query = "select organization_id from domains d join messages m on m.domain_id = d.id limit 1"
    customer = int(database.live.query(query, DATABASE)[0][0])
    before = database.contents()
    database.live.query("delete from organizations where id = %s", DATABASE, [customer])
    return Deleted(operation, customer, before)


def work_text(house: House, address: str) -> str:
    """What lies in the work bucket at an address that an action has given."""
    _, _, key = address.removeprefix("s3://").partition("/")
    return house.objects("work")[key].decode()
