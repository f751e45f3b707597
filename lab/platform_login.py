"""The platform's own login and policy in Vault, which are none of Mailark's business."""

import json

_ALL = ["create", "read", "update", "patch", "delete", "list"]
_RULES = {
    # Of each mount: values, metadata and what deletes them.
    **dict.fromkeys(("smtp/*", "vps/*", "dkim/*", "api_keys/*"), _ALL),
    "sys/seal": ["update", "sudo"],
    "sys/storage/raft/remove-peer": ["update", "sudo"],
}


def platform_login(password: str) -> str:
    """Sets up the user `platform` when a Vault initialises itself; for its server's configuration."""
    policy = json.dumps(
        "\n".join(f'path "{path}" {{ capabilities = {json.dumps(able)} }}' for path, able in _RULES.items())
    )
    return f"""
initialize "platform" {{
  request "login" {{
    operation = "update"
    path      = "sys/auth/userpass"
    data      = {{ type = "userpass" }}
  }}
  request "policy" {{
    operation = "update"
    path      = "sys/policies/acl/platform"
    data      = {{ policy = {policy} }}
  }}
  request "user" {{
    operation = "update"
    path      = "auth/userpass/users/platform"
    data      = {{ password = "{password}", token_policies = ["platform"], token_ttl = "2h" }}
  }}
}}
"""
