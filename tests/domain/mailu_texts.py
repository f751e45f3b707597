"""What each failure around a tenant's mail server and its password says, word for word; `test_errors.py` holds it."""

from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.mailu_errors import (
    MailuAddressInvalid,
    MailuCertificateRefused,
    MailuNotRecognized,
    MailuRateLimited,
    MailuRequestRefused,
    MailUserDisabled,
    MailUserUnknown,
    MailuTokenRefused,
    MailuUnreachable,
    MasterKeyInvalid,
    PasswordNotProved,
    PasswordUndecryptable,
    TenantIdInvalid,
)

_AT = "https://mail.example.org"
_TENANT = "550e8400-e29b-41d4-a716-446655440000"

MAILU_TEXTS: list[tuple[MailarkError, str]] = [
    (
        MailuAddressInvalid(address="'http://mail.example.org'"),
        "mailu-address-invalid: The address of a Mailu, 'http://mail.example.org', is not of the form https://host.\n"
        "Next: Correct webmail_url in the tenant's secret in Vault: no path, no user name, and https, or passwords are "
        "read.",
    ),
    (
        MailuUnreachable(address=_AT, problem="no connection"),
        "mailu-unreachable: Mailu at https://mail.example.org does not answer (no connection).\n"
        "Next: Check that its containers front and admin run, and that the network of the estate reaches it.",
    ),
    (
        MailuCertificateRefused(address=_AT, problem="certificate has expired"),
        "mailu-certificate-refused: The certificate of Mailu at https://mail.example.org does not verify (certificate "
        "has expired).\n"
        "Next: No password was sent. Renew its certificate, or name its CA in the estate; if neither has changed, "
        "somebody may stand between: tell the security team.",
    ),
    (
        MailuTokenRefused(address=_AT),
        "mailu-token-refused: Mailu at https://mail.example.org refuses the API token.\n"
        "Next: Put API_TOKEN of its mailu.env into the secret that holds the token, before you try again: five wrong "
        "ones in an hour lock the right one out.",
    ),
    (
        MailuRateLimited(address=_AT, what="it answered 429 to an API token"),
        "mailu-rate-limited: Mailu at https://mail.example.org lets nothing more from this network in for now (it "
        "answered 429 to an API token).\n"
        "Next: Correct the API token or the password if it was wrong, wait for an hour, and start this again. What "
        "must not wait goes from another network, or after AUTH_RATELIMIT_EXEMPTION in its mailu.env names this one.",
    ),
    (
        MailuRequestRefused(
            address=_AT,
            request="PATCH /api/v1/user/admin@example.org",
            status=400,
            problem="it does not take raw_password",
        ),
        "mailu-request-refused: Mailu at https://mail.example.org answered 400 to PATCH "
        "/api/v1/user/admin@example.org (it does not take raw_password).\n"
        "Next: Look into the log of its container admin at that time; its release may be older than 2024.06.",
    ),
    (
        MailuNotRecognized(address=_AT, request="GET /api/v1/user", problem="200 with text/html"),
        "mailu-not-recognized: What answers GET /api/v1/user at https://mail.example.org is not Mailu (200 with "
        "text/html).\n"
        "Next: Set API=true and API_TOKEN in its mailu.env, and let what stands in front of it pass /api and /sso on "
        "as they are (docs/mailu.md).",
    ),
    (
        MailUserUnknown(address=_AT, email="admin@example.org"),
        "mail-user-unknown: Mailu at https://mail.example.org has no user admin@example.org.\n"
        "Next: Correct username in the tenant's secret in Vault, or create that user in Mailu.",
    ),
    (
        MailUserDisabled(address=_AT, email="admin@example.org"),
        "mail-user-disabled: The user admin@example.org of Mailu at https://mail.example.org is disabled, so that no "
        "password lets it in.\n"
        "Next: Find out who disabled it, and why; then enable it in Mailu, and start this again.",
    ),
    (
        PasswordNotProved(address=_AT, email="admin@example.org", problem="imap refuses it"),
        "password-not-proved: Mailu at https://mail.example.org has taken a new password for admin@example.org, and "
        "does not prove it: imap refuses it.\n"
        "Next: Both passwords are kept: do not delete the old one. Look at that user in Mailu (enabled, IMAP, app "
        "tokens), and start this again.",
    ),
    (
        TenantIdInvalid(tenant_id="'../admin'"),
        "tenant-id-invalid: '../admin' is no tenant id.\n"
        "Next: Give a UUID of version 4 in lower case, such as 550e8400-e29b-41d4-a716-446655440000.",
    ),
    (
        MasterKeyInvalid(length=16),
        "master-key-invalid: The platform's master key has 16 bytes, and must have 32.\n"
        "Next: What `python -m lambdas.vault_configuration` has sealed is not the key that the platform uses: seal "
        "that one.",
    ),
    (
        PasswordUndecryptable(tenant_id=_TENANT),
        "password-undecryptable: The password of the tenant 550e8400-e29b-41d4-a716-446655440000 in Vault does not "
        "decrypt.\n"
        "Next: Check that the master key is the platform's, and that nobody has copied or changed that secret: an "
        "older version of it may still decrypt. An emergency reset needs no old password.",
    ),
]
"""In the order of `mailu_errors.py`."""
