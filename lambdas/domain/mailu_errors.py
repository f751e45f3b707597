"""What can go wrong with a tenant's mail server, Mailu, and with the password that it shares with Vault."""

from lambdas.domain.mailark_error import MailarkError


class MailuAddressInvalid(MailarkError):
    code = "mailu-address-invalid"
    sentence = "The address of a Mailu, {address}, is not of the form https://host."
    hint = (
        "Correct webmail_url in the tenant's secret in Vault: no path, no user name, and https, or passwords are read."
    )


class MailuUnreachable(MailarkError):
    code = "mailu-unreachable"
    sentence = "Mailu at {address} does not answer ({problem})."
    hint = "Check that its containers front and admin run, and that the network of the estate reaches it."
    transient = True


class MailuCertificateRefused(MailarkError):
    code = "mailu-certificate-refused"
    sentence = "The certificate of Mailu at {address} does not verify ({problem})."
    hint = (
        "No password was sent. Renew its certificate, or name its CA in the estate; if neither has changed, somebody "
        "may stand between: tell the security team."
    )


class MailuTokenRefused(MailarkError):
    code = "mailu-token-refused"
    sentence = "Mailu at {address} refuses the API token."
    hint = (
        "Put API_TOKEN of its mailu.env into the secret that holds the token, before you try again: five wrong ones in "
        "an hour lock the right one out."
    )


class MailuRateLimited(MailarkError):
    code = "mailu-rate-limited"
    sentence = "Mailu at {address} lets nothing more from this network in for now ({what})."
    hint = (
        "Correct the API token or the password if it was wrong, wait for an hour, and start this again. What must not "
        "wait goes from another network, or after AUTH_RATELIMIT_EXEMPTION in its mailu.env names this one."
    )


class MailuRequestRefused(MailarkError):
    code = "mailu-request-refused"
    sentence = "Mailu at {address} answered {status} to {request} ({problem})."
    hint = "Look into the log of its container admin at that time; its release may be older than 2024.06."


class MailuNotRecognized(MailarkError):
    code = "mailu-not-recognized"
    sentence = "What answers {request} at {address} is not Mailu ({problem})."
    hint = (
        "Set API=true and API_TOKEN in its mailu.env, and let what stands in front of it pass /api and /sso on as they "
        "are (docs/mailu.md)."
    )


class MailUserUnknown(MailarkError):
    code = "mail-user-unknown"
    sentence = "Mailu at {address} has no user {email}."
    hint = "Correct username in the tenant's secret in Vault, or create that user in Mailu."


class MailUserDisabled(MailarkError):
    code = "mail-user-disabled"
    sentence = "The user {email} of Mailu at {address} is disabled, so that no password lets it in."
    hint = "Find out who disabled it, and why; then enable it in Mailu, and start this again."


class PasswordNotProved(MailarkError):
    code = "password-not-proved"
    sentence = "Mailu at {address} has taken a new password for {email}, and does not prove it: {problem}."
    hint = (
        "Both passwords are kept: do not delete the old one. Look at that user in Mailu (enabled, IMAP, app tokens), "
        "and start this again."
    )


class TenantIdInvalid(MailarkError):
    code = "tenant-id-invalid"
    sentence = "{tenant_id} is no tenant id."
    hint = "Give a UUID of version 4 in lower case, such as 550e8400-e29b-41d4-a716-446655440000."


class MasterKeyInvalid(MailarkError):
    code = "master-key-invalid"
    sentence = "The platform's master key has {length} bytes, and must have 32."
    hint = (
        "What `python -m lambdas.vault_configuration` has sealed is not the key that the platform uses: seal that one."
    )


class PasswordUndecryptable(MailarkError):
    code = "password-undecryptable"
    sentence = "The password of the tenant {tenant_id} in Vault does not decrypt."
    hint = (
        "Check that the master key is the platform's, and that nobody has copied or changed that secret: an older "
        "version of it may still decrypt. An emergency reset needs no old password."
    )
