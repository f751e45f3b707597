"""What each failure of a credential says, word for word; `test_errors.py` holds it."""

from lambdas.domain.credential_errors import (
    AppTokensRemain,
    CredentialChanged,
    CredentialMissing,
    CredentialsNotInEstate,
    EscrowItemDamaged,
    EscrowItemMissing,
)
from lambdas.domain.mailark_error import MailarkError

_PATH = "smtp/550e8400-e29b-41d4-a716-446655440000/admin"

CREDENTIAL_TEXTS: list[tuple[MailarkError, str]] = [
    (
        CredentialsNotInEstate(),
        "credentials-not-in-estate: The estate has no section for tenants' credentials.\n"
        "Next: Nothing was changed. Add the key credentials to the estate (docs/operating.md), deploy it, and start "
        "this again.",
    ),
    (
        AppTokensRemain(address="https://mail.example.org", email="admin@example.org", count=2),
        "app-tokens-remain: Mailu at https://mail.example.org still lists app tokens of admin@example.org (2) after "
        "all were deleted: somebody makes more.\n"
        "Next: The password is a new one already. Look who else is global admin of that server, or knows its "
        "API_TOKEN; put a new API_TOKEN in place (docs/mailu.md), and start this again.",
    ),
    (
        CredentialMissing(path=_PATH),
        f"credential-missing: Vault has no credential at {_PATH}, or its newest version is deleted.\n"
        "Next: Nothing was changed. If the tenant should have one, write it as the platform does, or bring it back "
        "with vault_restore; then start this again.",
    ),
    (
        CredentialChanged(path=_PATH, seen=3),
        f"credential-changed: Somebody else has written to {_PATH} in Vault since its version 3 was read.\n"
        "Next: Their version was not overwritten. Start this again: it reads what is there now.",
    ),
    (
        EscrowItemMissing(path=_PATH, item="op-1"),
        f"escrow-item-missing: The escrow has no value op-1 of {_PATH}.\n"
        "Next: Start the scenario again: it makes a new value, and nothing was set yet that it would have to know.",
    ),
    (
        EscrowItemDamaged(path=_PATH, item="op-1"),
        f"escrow-item-damaged: The value op-1 of {_PATH} in the escrow does not open: somebody has changed it, or put "
        "it in its place.\n"
        "Next: Look in CloudTrail for who wrote to the escrow table. Start the scenario again: it makes a new value, "
        "and replaces this one.",
    ),
]
