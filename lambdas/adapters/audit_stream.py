"""What DynamoDB's stream says of the table of audit events: an event came, or somebody changed one."""

from typing import Any, Literal

from msgspec import Struct, field

from lambdas.adapters.audit_trail import link_of
from lambdas.adapters.tables import from_item
from lambdas.domain.audit import Link


class Images(Struct, frozen=True):
    """The item before and after, in DynamoDB's own form."""

    before: dict[str, Any] | None = field(name="OldImage", default=None)
    after: dict[str, Any] | None = field(name="NewImage", default=None)


class StreamRecord(Struct, frozen=True):
    """One change of one item (DynamoDB Streams API reference, "Record")."""

    deed: Literal["INSERT", "MODIFY", "REMOVE"] = field(name="eventName")
    images: Images = field(name="dynamodb")

    def link(self) -> Link:
        """The event as it came, as it was changed to, or as it was before it was removed."""
        return link_of(from_item(self.images.after or self.images.before or {}))
