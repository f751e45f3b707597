"""Start MiniStack with the mends: `python -m lab.emulator`. The environment variable LEAVE_OUT names mends to skip."""

import importlib
import os

MENDS = (
    "lambda_errors",
    "lambda_layers",
    "executions",
    "task_tokens",
    "parameter_writers",
    "starts_in_cloudtrail",
    "cross_region_outputs",
    "replica_keys",
    "condition_keys",
    "mail_permissions",
    "schedule_now",
    "alarms",
    "input_paths",
    "versioned_ranges",
    "one_port",
    "object_lock",
    "hidden_versions",
)


def main() -> None:
    """Apply every mend, then serve until a signal comes."""
    left_out = os.environ.get("LEAVE_OUT", "").split(",")
    for mend in MENDS:
        if mend not in left_out:
            importlib.import_module(f"lab.emulator.{mend}").apply()
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
