"""What the audit trail tells of a database: deeds of Mailark's own that somebody looks at who misses rows."""

from lambdas.domain.scenarios import SCENARIOS

DATABASE_DEEDS = (
    *(
        name
        for scenario in SCENARIOS.values()
        if scenario.target == "database"
        for name in (scenario.completed, scenario.failed)
    ),
    SCENARIOS["audit_verification"].failed,
)
"""Ends of all that changes the live database, and a trail that is found to be another than was written."""
