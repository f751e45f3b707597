"""The audit trail as deeds are recorded in it: what its tables do not take in time is spooled to the locked bucket."""

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.adapters.audit_trail import AuditTrail
from lambdas.adapters.aws import brief_calls
from lambdas.adapters.settings import Settings


def spooled_trail(settings: Settings) -> AuditTrail:
    """The trail of this region, for a function that must go on when its tables do not answer."""
    spool = AuditArchive(settings.region, settings["AUDIT_BUCKET"]).spool
    tables = settings["AUDIT_EVENTS_TABLE"], settings["AUDIT_HEADS_TABLE"]
    with brief_calls(attempts=3):  # a table that hangs may not take the time that spooling needs
        return AuditTrail(settings.region, *tables, spool)
