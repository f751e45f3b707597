"""What a tenant is called, and where its credentials lie in Vault (`platform-facts.md`, "The credential platform")."""

TENANT = "tenant#"
"""What the name of a tenant's lease, and of its chain of the audit trail, begins with."""
SMTP_MOUNT = "smtp"
_API_KEYS_MOUNT = "api_keys"


def tenant_target(tenant_id: str) -> str:
    """What a lease on one tenant is on, and the tenant's chain of the audit trail."""
    return TENANT + tenant_id


def tenant_of(target: str) -> str | None:
    """The id of the tenant that a lease or a chain is about; None where it is about none."""
    return target.removeprefix(TENANT) if target.startswith(TENANT) else None


def admin_path(tenant_id: str, of: str = "") -> str:
    """The path of a tenant's SMTP credential: `smtp/550e8400-…/admin`; of its `data` or `metadata` in policies."""
    return _path(SMTP_MOUNT, of, f"{tenant_id}/admin")


def mailu_token_path(tenant_id: str, of: str = "") -> str:
    """The path of the API token of a tenant's Mailu, which is one of its `api_keys`, with a field `token`."""
    return _path(_API_KEYS_MOUNT, of, f"{tenant_id}/mailu")


def _path(mount: str, of: str, name: str) -> str:
    return f"{mount}/{of}/{name}" if of else f"{mount}/{name}"
