"""Who may do what to tenants' credentials: the part of the table in `permissions.py` that is about them."""

from infra.grants import (
    EACH_OPERATION,
    ESTATE,
    LEASE,
    OPENING,
    SEALED_KEYS_PARAMETERS,
    SEALING,
    WORK_WRITE,
    ActionSpec,
)
from infra.uses import KeyUse, ObjectUse, ParameterUse, QueueUse, StreamUse, TableUse, TopicUse, Use

ROTATE_LOGIN = KeyUse("vault-rotate", ("kms:Sign",))
_ESCROW_READ = ("dynamodb:GetItem", "dynamodb:Query")
_ROTATING: list[Use] = [
    ESTATE,
    ROTATE_LOGIN,
    # The master key of the platform's passwords, and what the escrow holds of them.
    ParameterUse(f"{SEALED_KEYS_PARAMETERS.removesuffix('*')}platform-master-key"),
    KeyUse("escrow", ("kms:Decrypt",), purpose="platform-master-key"),
    KeyUse("escrow", OPENING, purpose="escrow"),
]

CREDENTIAL_ACTIONS: dict[str, ActionSpec] = {
    "create_credential": ActionSpec(
        1024,
        60,
        [
            *_ROTATING,
            KeyUse("escrow", SEALING, purpose="escrow"),
            TableUse("escrow", ("dynamodb:GetItem", "dynamodb:PutItem")),
        ],
        reaches_vault=True,
    ),
    "set_credential": ActionSpec(
        1024,
        120,
        [*_ROTATING, TableUse("escrow", ("dynamodb:GetItem", "dynamodb:UpdateItem")), LEASE],
        reaches_vault=True,
    ),
    "prove_credential": ActionSpec(1024, 180, [*_ROTATING, TableUse("escrow", _ESCROW_READ)], reaches_vault=True),
    "finish_rotation": ActionSpec(
        1024,
        60,
        [
            ESTATE,
            ROTATE_LOGIN,
            # For the key's name alone: this one opens no password.
            KeyUse("escrow", ("kms:DescribeKey",)),
            TableUse("escrow", (*_ESCROW_READ, "dynamodb:UpdateItem")),
            LEASE,
        ],
        reaches_vault=True,
    ),
    # Outside of the estate's network: what it copies is sealed, and stays so.
    "copy_escrow": ActionSpec(
        512,
        60,
        [
            ESTATE,
            StreamUse("escrow"),
            QueueUse("undelivered-events"),
            TableUse("escrow", ("dynamodb:PutItem",), other=True),
        ],
    ),
    "tell_tenant": ActionSpec(
        512,
        120,
        [ESTATE, ROTATE_LOGIN, TableUse("notices", ("dynamodb:PutItem", "dynamodb:Query"))],
        reaches_vault=True,
        sends_notices=True,
    ),
    # Outside of the estate's network: all that it tells was found out before.
    "alert_security": ActionSpec(512, 60, [TopicUse("security")]),
    "review_traces": ActionSpec(
        512,
        120,
        [ESTATE, ROTATE_LOGIN, WORK_WRITE],
        reaches_vault=True,
    ),
    "revoke_app_tokens": ActionSpec(
        512,
        120,
        [
            ESTATE,
            ROTATE_LOGIN,
            LEASE,
            ObjectUse("work", ("s3:GetObject", "s3:PutObject"), "*", EACH_OPERATION, missing=True),
        ],
        reaches_vault=True,
    ),
}
