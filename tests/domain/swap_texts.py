"""What each failure around a swap says, word for word; `test_errors.py` holds it."""

from lambdas.domain.database_errors import DatabaseInUse, DiskTooSmall, NothingToUndo, SwapRefused, SwapTooOld
from lambdas.domain.mailark_error import MailarkError

SWAP_TEXTS: list[tuple[MailarkError, str]] = [
    (
        SwapRefused(database="smtpy", problem="mailark_restored_smtpy is not verified against its backup"),
        "swap-refused: smtpy was not swapped: mailark_restored_smtpy is not verified against its backup.\n"
        "Next: Nothing was renamed. Start database_corruption again: it restores and verifies a copy under a name of "
        "its own.",
    ),
    (
        NothingToUndo(database="smtpy", problem="no operation has swapped it"),
        "nothing-to-undo: There is no swap of smtpy to undo: no operation has swapped it.\n"
        "Next: Nothing was renamed. Read on the server which databases there are, and what their comments say.",
    ),
    (
        SwapTooOld(database="smtpy", at="2026-11-22T03:00:00+00:00", hours=24, kept_as="smtpy_corrupt_20261122_030000"),
        "swap-too-old: The swap of smtpy that would be undone is of 2026-11-22T03:00:00+00:00, more than 24 hours ago."
        "\nNext: Nothing was stopped or renamed: what was written since then would be in the database that goes out. "
        'If that is meant, start database_swap_undo with {"reason": "...", "kept_as": '
        '"smtpy_corrupt_20261122_030000"}.',
    ),
    (
        DatabaseInUse(database="smtpy", host="db.example.org", sessions="nightly report of postgres (pid 4711)"),
        "database-in-use: Sessions in smtpy at db.example.org did not end: nightly report of postgres (pid 4711).\n"
        "Next: Nothing was renamed. End them as a superuser (pg_terminate_backend), stop what opens them again, "
        "and start this again.",
    ),
    (
        DiskTooSmall(host="db.example.org", wanted="4,509,715,661", taken="1,073,741,824"),
        "disk-too-small: The disk of PostgreSQL at db.example.org has no room for 4,509,715,661 bytes more: "
        "it took 1,073,741,824.\n"
        "Next: Nothing live was touched. Make room, or name a fresh server under database.fresh in the estate.",
    ),
]
"""In the order of `database_errors.py`, where they stand together."""
