"""Where the credentials of a tenant lie in Vault (`platform-facts.md`, "The credential platform")."""

SMTP_MOUNT = "smtp"
_API_KEYS_MOUNT = "api_keys"


def admin_path(tenant_id: str, of: str = "") -> str:
    """The path of a tenant's SMTP credential: `smtp/550e8400-…/admin`; of its `data` or `metadata` in policies."""
    return _path(SMTP_MOUNT, of, f"{tenant_id}/admin")


def mailu_token_path(tenant_id: str, of: str = "") -> str:
    """The path of the API token of a tenant's Mailu, which is one of its `api_keys`, with a field `token`."""
    return _path(_API_KEYS_MOUNT, of, f"{tenant_id}/mailu")


def _path(mount: str, of: str, name: str) -> str:
    return f"{mount}/{of}/{name}" if of else f"{mount}/{name}"
