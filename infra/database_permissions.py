"""Who may do what to the database and its dumps: the part of the table in `permissions.py` that is about them."""

from infra.grants import (
    AUDIT,
    CATALOG_LIST,
    EACH_OPERATION,
    ESTATE,
    EXECUTION_DESCRIBED,
    EXECUTION_HISTORY,
    LEASE,
    MANIFESTS_CHECKED,
    OBJECT_READING,
    OPENING,
    SEALING,
    STORING,
    WORK_READ,
    WORK_WRITE,
    ActionSpec,
    manifests,
    objects,
    reading,
    status_kept,
)
from infra.uses import KeyUse, ObjectUse, TableUse
from lambdas.adapters.audit_trail import BY_EVENT
from lambdas.domain.estate_database import LoginName

_STREAMING = 3008
"""MiB, and with them 1.7 processors: pg_dump, compression and encryption work at the same time."""
_DUMPS = ["database"]
_ANYWHERE: list[LoginName] = ["live", "staging", "fresh"]
"""Who reaches another server than the live one asks the live one too, whether it is not that one."""
_BOTH_SIDES: list[LoginName] = ["live", "staging"]
"""The backup, restored on the staging server, and the database that its rows go into."""

DATABASE_ACTIONS: dict[str, ActionSpec] = {
    "check_database": ActionSpec(
        512,
        60,
        [ESTATE, CATALOG_LIST, MANIFESTS_CHECKED, *manifests(OBJECT_READING, _DUMPS, missing=True)],
        logins=["live"],
    ),
    "dump_database": ActionSpec(
        _STREAMING,
        900,
        [
            ESTATE,
            KeyUse("backup", SEALING, purpose="backup"),
            KeyUse("backup", SEALING, purpose="backup-key"),
            KeyUse("backup", SEALING, purpose="database-settings"),
            *objects(STORING, _DUMPS),
            WORK_WRITE,
        ],
        logins=["live"],
    ),
    "write_database_manifest": ActionSpec(
        1024,
        60,
        [
            ESTATE,
            KeyUse("evidence", ("kms:Sign",)),
            WORK_READ,
            *manifests(("s3:PutObject", "s3:PutObjectVersionTagging"), _DUMPS),
            TableUse("catalog", ("dynamodb:PutItem",)),
        ],
    ),
    "judge_dump": ActionSpec(512, 60, [TableUse("catalog", ("dynamodb:GetItem", "dynamodb:Scan"))]),
    # Outside of the estate's network: the second store is somebody else's, and public.
    "copy_to_second_store": ActionSpec(1769, 900, [ESTATE, *reading("database"), *status_kept("database")]),
    "check_restore": ActionSpec(
        512,
        300,
        [
            ESTATE,
            TableUse("catalog", ("dynamodb:GetItem",)),
            CATALOG_LIST,
            MANIFESTS_CHECKED,
            *manifests(OBJECT_READING, _DUMPS, missing=True),
        ],
        logins=["live", "fresh", "service"],
    ),
    "restore_database": ActionSpec(
        _STREAMING,
        900,
        [
            ESTATE,
            *reading("database"),
            *status_kept("database"),
            CATALOG_LIST,
            KeyUse("backup", OPENING, purpose="backup"),
            KeyUse("backup", OPENING, purpose="database-settings"),
            LEASE,
        ],
        logins=_ANYWHERE,
    ),
    "verify_database": ActionSpec(
        _STREAMING,
        900,
        [
            ESTATE,
            MANIFESTS_CHECKED,
            *manifests(OBJECT_READING, _DUMPS, missing=True),
            *status_kept("database"),
            CATALOG_LIST,
        ],
        logins=_ANYWHERE,
    ),
    "drop_database": ActionSpec(512, 360, [ESTATE, LEASE], logins=_ANYWHERE),
    "find_lost_rows": ActionSpec(
        1024,
        900,
        [ESTATE, TableUse("audit-events", ("dynamodb:Query",), index=BY_EVENT)],
        logins=_BOTH_SIDES,
    ),
    "plan_row_recovery": ActionSpec(1024, 900, [ESTATE, WORK_WRITE], logins=_BOTH_SIDES),
    "import_rows": ActionSpec(1024, 900, [ESTATE, LEASE], logins=_BOTH_SIDES),
    "export_rows": ActionSpec(
        1024,
        900,
        [ESTATE, ObjectUse("work", ("s3:AbortMultipartUpload", "s3:PutObject"), "*", EACH_OPERATION)],
        logins=_BOTH_SIDES,
    ),
    "assess_database": ActionSpec(1024, 900, [ESTATE, *AUDIT], logins=["live"]),
    "swap_databases": ActionSpec(512, 120, [ESTATE, LEASE], logins=["live", "fresh"]),
    "check_swap_undo": ActionSpec(512, 60, [ESTATE], logins=["live"]),
    "undo_database_swap": ActionSpec(512, 120, [ESTATE, LEASE], logins=["live"]),
    "stop_services": ActionSpec(512, 600, [ESTATE, LEASE], reaches_services=True),
    "start_services": ActionSpec(512, 600, [ESTATE, LEASE], reaches_services=True),
    "check_services_start": ActionSpec(512, 60, [ESTATE, EXECUTION_DESCRIBED, EXECUTION_HISTORY], logins=["fresh"]),
    # Through the service's own role it is proved that the service works, and nothing else.
    "verify_services": ActionSpec(512, 600, [ESTATE], logins=["service"]),
}
