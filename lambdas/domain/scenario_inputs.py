"""What each scenario takes as input: what the on-call engineer types, or a schedule or an alarm sends.

`asked` is what the states of the scenario have to know of it, by the names that `BeginOperation` hands on.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from lambdas.domain.recovery_plan import OnConflict
from lambdas.domain.recovery_scope import Deletion, ScopeItem

NOT_BLANK = r"\S"
REASON_LIMIT = 500
"""Characters of a reason."""
Reason = Annotated[str, Meta(min_length=1, max_length=REASON_LIMIT, pattern=NOT_BLANK)]
ShortText = Annotated[str, Meta(min_length=1, max_length=120)]


class ScheduledInput(Struct, frozen=True, forbid_unknown_fields=True):
    """`scheduled_for` comes from the schedule or the event that starts it; a person gives a reason, or nothing."""

    reason: Reason = "started by hand"
    incident_id: ShortText | None = None
    requested_by: ShortText | None = None
    scheduled_for: Annotated[datetime, Meta(tz=True)] | None = None

    @property
    def asked(self) -> dict[str, Any]:
        return {}


class ServicesStartInput(ScheduledInput, frozen=True, forbid_unknown_fields=True):
    """`stopped` is the execution after which it starts by itself; left out, they run on the live server."""

    stopped: Annotated[str, Meta(min_length=1, max_length=300)] | None = None

    @property
    def asked(self) -> dict[str, Any]:
        return {"stopped": self.stopped}


class BackupInput(ScheduledInput, frozen=True, forbid_unknown_fields=True):
    """`accept_loss` takes a backup for good though it looks as if something were lost, since that is meant."""

    accept_loss: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        return {"accept_loss": self.accept_loss}


class RestoreTestInput(ScheduledInput, frozen=True, forbid_unknown_fields=True):
    """`backup_id` tests this very backup; left out, it is the newest that is proved intact."""

    backup_id: ShortText | None = None

    @property
    def asked(self) -> dict[str, Any]:
        return {"backup_id": self.backup_id}


class ByHandInput(Struct, frozen=True, forbid_unknown_fields=True):
    """What the on-call engineer types: a reason, at least."""

    reason: Reason
    incident_id: ShortText | None = None
    requested_by: ShortText | None = None

    @property
    def asked(self) -> dict[str, Any]:
        return {}


class VaultRestoreInput(ByHandInput, frozen=True, forbid_unknown_fields=True):
    """`without_saving` overwrites what Vault holds without a backup of it, where such a backup cannot be made."""

    backup_date: date | None = None
    backup_id: ShortText | None = None
    without_saving: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        return {
            "backup_date": self.backup_date.isoformat() if self.backup_date else None,
            "backup_id": self.backup_id,
            "without_saving": self.without_saving,
        }


class DatabaseCorruptionInput(ByHandInput, frozen=True, forbid_unknown_fields=True):
    """`pre_restore_backup` saves a dump of what is still readable; the damaged database is kept in any case.

    `even_if_sound` restores where nothing wrong was found. `on_fresh` restores onto the estate's fresh server.
    """

    backup_date: date | None = None
    backup_id: ShortText | None = None
    pre_restore_backup: bool = True
    even_if_sound: bool = False
    on_fresh: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        return {
            "backup_date": self.backup_date.isoformat() if self.backup_date else None,
            "backup_id": self.backup_id,
            "without_saving": not self.pre_restore_backup,
            "even_if_sound": self.even_if_sound,
            "place": "fresh" if self.on_fresh else "live",
        }


class SwapUndoInput(ByHandInput, frozen=True, forbid_unknown_fields=True):
    """`kept_as` is the name of the database that is to be live again; left out, its swap has to be of the last day."""

    kept_as: ShortText | None = None

    @property
    def asked(self) -> dict[str, Any]:
        return {"kept_as": self.kept_as}


class DataDeletionInput(ByHandInput, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`deleted_at` is when the rows were deleted: the backup is the newest that was finished before.

    `scope` names tables, or a table and a condition; left out, the tables that lost rows are found and shown. With
    `on_conflict: skip` rows that cannot come back are left out; `mode: export` writes CSV and imports nothing.
    """

    deleted_at: Annotated[datetime, Meta(tz=True)]
    scope: list[ScopeItem] = []
    backup_id: ShortText | None = None
    on_conflict: OnConflict = "stop"
    mode: Literal["import", "export"] = "import"

    @property
    def asked(self) -> dict[str, Any]:
        deletion = Deletion(self.deleted_at.astimezone(UTC), self.scope, self.on_conflict, self.mode == "export")
        return {"backup_id": self.backup_id, "deletion": deletion}


class CredentialCompromiseInput(Struct, frozen=True, forbid_unknown_fields=True):
    """`compromise_details` say what is known. `alarm` is the alarm that starts it, where no person does."""

    tenant_id: ShortText
    compromise_details: Reason
    incident_id: ShortText | None = None
    requested_by: ShortText | None = None
    alarm: ShortText | None = None

    @property
    def reason(self) -> str:
        return self.compromise_details

    @property
    def asked(self) -> dict[str, Any]:
        return {"tenant_id": self.tenant_id}


ScenarioInput = ScheduledInput | ByHandInput | CredentialCompromiseInput
