"""What DynamoDB's stream says of the escrow: an item came, or went on to its next state."""

from typing import Any

from msgspec import Struct, field

from lambdas.adapters.tables import from_item
from lambdas.domain.escrow import EscrowItem


class _Images(Struct, frozen=True):
    after: dict[str, Any] | None = field(name="NewImage", default=None)


class EscrowRecord(Struct, frozen=True):
    """One change of one item (DynamoDB Streams API reference, "Record")."""

    images: _Images = field(name="dynamodb")

    def item(self) -> EscrowItem | None:
        """The item as it is after the change; None where it was removed, which Mailark never does: the copy stays."""
        return EscrowItem(**from_item(self.images.after)) if self.images.after else None
