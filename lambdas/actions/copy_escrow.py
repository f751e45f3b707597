"""Copy each change of the escrow to the other region, sealed as it is: either region's key opens it.

Started by the stream of the table, not by a state machine. What the other region copies back changes nothing here, so
that nothing goes round.
"""

from msgspec import Struct, field

from lambdas.adapters.escrow_copy import EscrowCopy
from lambdas.adapters.escrow_stream import EscrowRecord
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action


class CopyEscrow(Struct, frozen=True):
    records: list[EscrowRecord] = field(name="Records")


class EscrowCopied(Struct, frozen=True):
    """`copied` were written there; the others were there already, as they are here or further on."""

    copied: int
    known: int


@action(CopyEscrow)
def handler(request: CopyEscrow, run: Run) -> EscrowCopied:
    region = run.settings.region
    copy = EscrowCopy(read_estate(region).other_region(region), run.settings["ESCROW_TABLE"])
    items = [item for record in request.records if (item := record.item()) is not None]
    written = [copy.put(item) for item in items]
    return EscrowCopied(sum(written), len(items) - sum(written))
