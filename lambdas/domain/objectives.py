"""What the plans promise and expect: every RTO, RPO and step time, in one place.

Sources: `credential-recovery.md` (scenarios 1 to 3) and `service-recovery-plan.md` ("Recovery Objectives",
"Disaster Scenarios", "Recovery Procedures"). All times are in seconds. An estate may promise otherwise for a
scenario (`objectives` in `estate.yaml`); the times that the plan expects of a step stay the plan's.
"""

from dataclasses import dataclass, field

MINUTE = 60
HOUR = 60 * MINUTE


@dataclass(frozen=True)
class Objective:
    """A promise: `rto` seconds until recovered, at most `rpo` seconds of data lost."""

    rto: int
    rpo: int


@dataclass(frozen=True)
class Expected:
    """A time that a plan names, from `least` to `most` seconds."""

    least: int
    most: int


COMPONENT_RTO: dict[str, int] = {
    # service-recovery-plan.md, "RTO (Recovery Time Objective)"
    "database": HOUR,
    "api": 30 * MINUTE,
    "smtp": 30 * MINUTE,
    "frontend": 15 * MINUTE,
    "redis": 15 * MINUTE,
}


@dataclass(frozen=True)
class Plan:
    """What a plan says of one scenario; `steps` by the state that does the step, where the plan names a time."""

    objective: Objective
    total: Expected | None = None
    steps: dict[str, Expected] = field(default_factory=dict)


DAILY = 24 * HOUR

PLANS: dict[str, Plan] = {
    # credential-recovery.md, "Scenario 2: Vault Backup Restoration"
    "vault_restore": Plan(Objective(rto=30 * MINUTE, rpo=DAILY)),
    # A backup restores nothing; it must be done well before the next one is due.
    "vault_backup": Plan(Objective(rto=HOUR, rpo=DAILY)),
    # A rehearsal of vault_restore is held to what is promised of the recovery.
    "vault_restore_test": Plan(Objective(rto=30 * MINUTE, rpo=DAILY)),
    # service-recovery-plan.md, "RPO": daily. A backup restores nothing; it is done well before the next one is due.
    "database_backup": Plan(Objective(rto=HOUR, rpo=DAILY)),
    # A rehearsal of database_corruption is held to what is promised of the recovery.
    "database_restore_test": Plan(Objective(rto=HOUR, rpo=DAILY)),
    # Ours: what a recovery has exchanged is exchanged back as fast as services stop and start.
    "database_swap_undo": Plan(Objective(rto=15 * MINUTE, rpo=0)),
    # Ours: services run again soon after the last function of a recovery that was stopped has ended.
    "services_start": Plan(Objective(rto=30 * MINUTE, rpo=0)),
    # Ours: a restore test's rows are gone within half the time that its own recovery is given.
    "database_staging_emptying": Plan(Objective(rto=30 * MINUTE, rpo=0)),
    "row_recovery_emptying": Plan(Objective(rto=30 * MINUTE, rpo=0)),
    # Ours: a restore test's secrets are gone within the time that its own recovery is given.
    "staging_emptying": Plan(Objective(rto=30 * MINUTE, rpo=0)),
    # No plan names a time: a lost catalog holds up a recovery, so it is back well within the shortest RTO.
    "catalog_rebuild": Plan(Objective(rto=15 * MINUTE, rpo=0)),
    # Ours: every hour, in both regions; over before the next one, and no age is known to be older than an hour.
    "backup_watch": Plan(Objective(rto=15 * MINUTE, rpo=HOUR)),
    # These restore nothing; the first must be done well before its next run, the second reads all there is.
    "audit_signing": Plan(Objective(rto=15 * MINUTE, rpo=HOUR)),
    "audit_verification": Plan(Objective(rto=30 * MINUTE, rpo=DAILY)),
    # credential-recovery.md, scenarios 1 and 3
    "vps_failure": Plan(Objective(rto=HOUR, rpo=0)),
    "credential_compromise": Plan(Objective(rto=5 * MINUTE, rpo=0)),
    # service-recovery-plan.md, "Disaster Scenarios" and the totals of "Recovery Procedures"
    "database_corruption": Plan(
        Objective(rto=HOUR, rpo=DAILY),
        total=Expected(40 * MINUTE, HOUR),
        steps={
            "AssessDatabase": Expected(5 * MINUTE, 5 * MINUTE),
            "StopServices": Expected(2 * MINUTE, 2 * MINUTE),
            "ChooseBackup": Expected(3 * MINUTE, 3 * MINUTE),
            "RestoreDatabase": Expected(15 * MINUTE, 30 * MINUTE),
            "VerifyDatabase": Expected(5 * MINUTE, 5 * MINUTE),
            "StartServices": Expected(5 * MINUTE, 5 * MINUTE),
            "VerifyServices": Expected(5 * MINUTE, 5 * MINUTE),
        },
    ),
    "server_failure": Plan(Objective(rto=4 * HOUR, rpo=DAILY), total=Expected(150 * MINUTE, 4 * HOUR)),
    "data_center_outage": Plan(Objective(rto=8 * HOUR, rpo=DAILY), total=Expected(4 * HOUR, 8 * HOUR)),
    "data_deletion": Plan(
        Objective(rto=2 * HOUR, rpo=DAILY),
        total=Expected(50 * MINUTE, 65 * MINUTE),
        steps={
            "FindLostRows": Expected(10 * MINUTE, 10 * MINUTE),
            "ChooseBackup": Expected(5 * MINUTE, 5 * MINUTE),
            "RestoreDatabase": Expected(15 * MINUTE, 30 * MINUTE),
            "ImportRows": Expected(10 * MINUTE, 10 * MINUTE),
        },
    ),
    "security_breach": Plan(Objective(rto=24 * HOUR, rpo=DAILY), total=Expected(8 * HOUR, 24 * HOUR)),
    "application_failure": Plan(Objective(rto=30 * MINUTE, rpo=0), total=Expected(15 * MINUTE, 30 * MINUTE)),
}
