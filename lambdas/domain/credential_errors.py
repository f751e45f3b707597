"""What can be wrong with a credential, in Vault and in the escrow."""

from lambdas.domain.mailark_error import MailarkError


class CredentialsNotInEstate(MailarkError):
    code = "credentials-not-in-estate"
    sentence = "The estate has no section for tenants' credentials."
    hint = (
        "Nothing was changed. Add the key credentials to the estate (docs/operating.md), deploy it, and start this "
        "again."
    )


class AppTokensRemain(MailarkError):
    code = "app-tokens-remain"
    sentence = (
        "Mailu at {address} still lists app tokens of {email} ({count}) after all were deleted: somebody makes more."
    )
    hint = (
        "The password is a new one already. Look who else is global admin of that server, or knows its API_TOKEN; put "
        "a new API_TOKEN in place (docs/mailu.md), and start this again."
    )


class CredentialMissing(MailarkError):
    code = "credential-missing"
    sentence = "Vault has no credential at {path}, or its newest version is deleted."
    hint = (
        "Nothing was changed. If the tenant should have one, write it as the platform does, or bring it back with "
        "vault_restore; then start this again."
    )


class CredentialChanged(MailarkError):
    code = "credential-changed"
    sentence = "Somebody else has written to {path} in Vault since its version {seen} was read."
    hint = "Their version was not overwritten. Start this again: it reads what is there now."


class EscrowItemMissing(MailarkError):
    code = "escrow-item-missing"
    sentence = "The escrow has no value {item} of {path}."
    hint = "Start the scenario again: it makes a new value, and nothing was set yet that it would have to know."


class EscrowItemDamaged(MailarkError):
    code = "escrow-item-damaged"
    sentence = (
        "The value {item} of {path} in the escrow does not open: somebody has changed it, or put it in its place."
    )
    hint = (
        "Look in CloudTrail for who wrote to the escrow table. Start the scenario again: it makes a new value, and "
        "replaces this one."
    )
    tampering = True
