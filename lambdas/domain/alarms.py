"""The alarms of a region: the names that `infra` gives them and the status looks for, and what to do when one rings."""

from collections.abc import Collection

from lambdas.domain.operation import MACHINE_PREFIX, machine_name
from lambdas.domain.suspect import MANY_SUSPECTS_ALARM

UNDELIVERED_ALARM = f"{MACHINE_PREFIX}undelivered-events"


def backup_alarm(kind: str) -> str:
    """The alarm on the age of the newest good backup of a kind."""
    return f"{MACHINE_PREFIX}{kind}-backup-too-old"


def restore_test_alarm(kind: str) -> str:
    """The alarm on the age of the newest restore test of a kind."""
    return f"{MACHINE_PREFIX}{kind}-restore-test-too-old"


def expected_alarms(kinds: Collection[str], *, tested_here: bool, watched: bool = False) -> dict[str, str]:
    """The alarms that a region has, by name, each with what to do when it rings; `kinds` are those of the estate.

    `tested_here` is whether restores are tested there: elsewhere no alarm is on their age. `watched` is whether the
    estate has tenants' credentials, for whose leaks logs are watched.
    """
    found = {backup_alarm(kind): _of_age("backup-age") for kind in kinds}
    if tested_here:
        found |= {restore_test_alarm(kind): _of_age("restore-test-age") for kind in kinds}
    found[UNDELIVERED_ALARM] = (
        f"Look into the queue {UNDELIVERED_ALARM}, start by hand what was missed, and empty it; "
        "the alarm's description in CloudWatch says more."
    )
    if watched:
        found[MANY_SUSPECTS_ALARM] = (
            "More tenants are suspected at once than could be told one by one: the alarm's description in CloudWatch "
            "says where they are, and docs/detection.md what to think of it."
        )
    return found


def _of_age(check: str) -> str:
    return (
        f"If {check} is not good either, do what it says. If it is good, wait: it rings for up to three hours after "
        f"the cure, and whenever {machine_name('backup_watch')} has not run for three hours, so see that it runs."
    )
