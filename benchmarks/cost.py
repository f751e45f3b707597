"""What a night and a month cost: what the scenarios ask of AWS in the lab, at AWS's published prices."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Figure, figure
from infra.permissions import ACTIONS
from infra.scenario import definition
from lab.aws import ROOT
from lab.gate import Call, Fault
from lab.lab import Lab, Progress
from lab.tenants import make_tenants
from lab.watching import follow, start
from lambdas.domain.operation import machine_name

_DOCUMENT = ROOT / "docs" / "cost.md"
_TENANTS = 1000
_DAYS, _WEEKS, _HOURS = 30.4, 4.35, 730
_TRANSACTION = 9
"""Write units of one audit event: two for each of three items (DynamoDB guide, "Transactions"), and three indexes."""

PRICES = {
    "state transition": (0.025 / 1000, "Step Functions pricing, standard workflows"),
    "GB-second of a function": (0.0000133334, "Lambda pricing, Arm"),
    "request of a function": (0.20 / 1e6, "Lambda pricing"),
    "KMS request": (0.03 / 10_000, "KMS pricing"),
    "KMS signature": (0.15 / 10_000, "KMS pricing, ECC keys"),
    "S3 write": (0.005 / 1000, "S3 pricing, PUT, COPY, POST and LIST"),
    "S3 read": (0.0004 / 1000, "S3 pricing, GET and all others"),
    "DynamoDB write unit": (0.625 / 1e6, "DynamoDB pricing, on demand"),
    "DynamoDB read unit": (0.125 / 1e6, "DynamoDB pricing, on demand"),
    "KMS key": (1.00, "KMS pricing, a month, in each region"),
    "alarm": (0.10, "CloudWatch pricing, a month"),
    "custom metric": (0.30, "CloudWatch pricing, a month"),
    "GB in S3": (0.023, "S3 pricing, Standard, a month"),
    "GB to the other region": (0.02, "EC2 pricing, data transfer between regions"),
    "GB of logs": (0.50, "CloudWatch pricing"),
}
"""In USD, us-east-1, without free tiers; other regions are up to a quarter dearer."""

_LOG_GB = 0.000_002
"""Two lines of a kilobyte for each run of a function, and what Lambda adds."""
_KEYS, _ROTATED = 14, 6
_METRICS = 4 + 5 * 2 * 2
"""Two ages in two regions, and two figures of each scheduled scenario in two regions."""
_SECONDS = "GB-second of a function"


@dataclass
class _Used:
    """What one execution has used."""

    scenario: str
    units: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def cost(self) -> float:
        return sum(PRICES[unit][0] * count for unit, count in self.units.items())


def cost(lab: Lab, progress: Progress) -> list[Figure]:
    """Run what runs by itself, count what it uses, and write `docs/cost.md`."""
    progress(f"Cost: {_TENANTS:,} tenants, and what each scenario uses")
    for _ in lab.platform().store(make_tenants(_TENANTS)):
        pass
    runs = {}
    for scenario in _OFTEN:
        _run(lab, scenario)  # once before, so that connections and functions are warm, as they are not on AWS
        runs[scenario] = _run(lab, scenario)
    size = _snapshot_bytes(lab)
    lines = [*_scenario_lines(runs), *_standing_lines(lab, size)]
    total = sum(line.usd for line in lines)
    _DOCUMENT.write_text(_text(runs, lines, size, total))
    night = f"a night's backup: {runs['vault_backup'].cost():.4f} USD ([docs/cost.md](docs/cost.md))"
    return [figure("Cost of a month", total, "USD", night)]


def _run(lab: Lab, scenario: str) -> _Used:
    calls: list[Call] = []
    states = lab.client("stepfunctions")
    with _counted(lab, calls):
        finished = follow(states, start(states, scenario, lab.primary, {"reason": "what it costs"}))
    if finished.status != "SUCCEEDED":
        raise RuntimeError(f"{scenario} failed: {finished.cause}")
    used = _Used(scenario)
    events = states.get_execution_history(executionArn=finished.arn, maxResults=1000)["events"]
    used.units["state transition"] = sum(1 for event in events if "stateEnteredEventDetails" in event)
    for action, seconds in _functions(scenario, finished.output):
        used.units[_SECONDS] += ACTIONS[action].memory / 1024 * seconds
        used.units["request of a function"] += 1
        used.units["GB of logs"] += _LOG_GB
    for call in calls:
        unit, count = _unit(call)
        used.units[unit] += count
    used.units.pop("", None)
    return used


@contextmanager
def _counted(lab: Lab, calls: list[Call]) -> Iterator[None]:
    """Let every call of a function be seen, and pass."""

    def see(call: Call) -> bool:
        calls.append(call)
        return False

    with lab.gate.fault(Fault(see)):
        yield


def _functions(scenario: str, outcome: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The action of each step of an execution, by its output, and the seconds that it took."""
    states: Any = definition(scenario)["States"]
    for step in outcome["steps"]:
        if states[step["state"]]["Type"] == "Task":
            yield states[step["state"]]["Arguments"]["FunctionName"].strip("${}"), float(step["seconds"])


def _unit(call: Call) -> tuple[str, int]:
    if call.service == "kms":
        return ("KMS signature" if call.target in ("Sign", "Verify", "GetPublicKey") else "KMS request"), 1
    if call.service == "s3":
        writes = call.method in ("PUT", "POST") or "list-type" in call.query or "versions" in call.query
        return ("S3 write" if writes else "S3 read"), 1
    if call.service == "dynamodb":
        if call.target == "TransactWriteItems":
            return "DynamoDB write unit", _TRANSACTION
        writes = call.target in ("PutItem", "UpdateItem", "DeleteItem")
        return ("DynamoDB write unit" if writes else "DynamoDB read unit"), 1
    return "", 0


# --- the month ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    what: str
    how_often: str
    usd: float


_OFTEN = {
    "vault_backup": ("nightly", _DAYS),
    "vault_restore_test": ("weekly", _WEEKS),
    "backup_watch": ("hourly, in two regions", _HOURS * 2),
    "audit_signing": ("hourly, in two regions", _HOURS * 2),
    "audit_verification": ("daily, in two regions", _DAYS * 2),
}


def _scenario_lines(runs: dict[str, _Used]) -> Iterator[_Line]:
    for scenario, (words, times) in _OFTEN.items():
        yield _Line(f"`{machine_name(scenario)}`", words, runs[scenario].cost() * times)


def _standing_lines(lab: Lab, size: int) -> Iterator[_Line]:
    backups = 30 + 12
    stored = size * backups * 2 / 1e9
    sent = size * _DAYS / 1e9
    alarms = sum(len(_paged(lab, region)) for region in (lab.primary, lab.standby))
    yield _Line(f"{_KEYS} KMS keys", "seven in each region", _KEYS * PRICES["KMS key"][0])
    yield _Line("their rotation", "yearly, six keys: after the first year", _ROTATED * PRICES["KMS key"][0])
    yield _Line(f"{alarms} alarms", "in two regions", alarms * PRICES["alarm"][0])
    yield _Line(f"{_METRICS} metrics", "in two regions", _METRICS * PRICES["custom metric"][0])
    yield _Line(f"{backups} backups of {size / 1e6:.1f} MB", "kept in two regions", stored * PRICES["GB in S3"][0])
    yield _Line("copies", "nightly", sent * PRICES["GB to the other region"][0])


def _paged(lab: Lab, region: str) -> list[Any]:
    pages = lab.client("cloudwatch", region).get_paginator("describe_alarms").paginate()
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def _snapshot_bytes(lab: Lab) -> int:
    rows = lab.client("dynamodb").scan(TableName="mailark-catalog")["Items"]
    return max(int(row["size"]["N"]) for row in rows if row["series"]["S"] == "daily")


_PAGE = """\
# What it costs

<!-- Written by `make bench`: change benchmarks/cost.py instead. -->

The example estate, with {tenants:,} tenants and a snapshot of {size:.1f} MB, costs **{total:.2f} USD a month**, and a
night's backup {night:.4f} USD, before any free tier. Most of it stands still: keys and alarms.

| A month | How often | USD |
| --- | --- | ---: |
{month}
| **all of it** | | **{total:.2f}** |

## What one run uses

Counted in the lab, where functions call AWS through a proxy. On AWS a function waits longer for the network and starts
cold; a hundred times the seconds would add {hundred:.2f} USD a month. An event of the audit trail counts as nine write
units: a transaction of three items, and three indexes.

| | {scenarios} | USD each |
| --- |{right} ---: |
{counted}

## Prices

Of us-east-1, as AWS publishes them; other regions are up to a quarter dearer.

{prices}

Not in it: what your network costs (a NAT gateway or endpoints, by the hour), SMS, the Vault servers themselves, and
CloudTrail's data events if you turn them on. E-mail and webhooks of SNS cost less than a cent.
"""


def _text(runs: dict[str, _Used], lines: Sequence[_Line], size: int, total: float) -> str:
    seconds = sum(used.units[_SECONDS] * times for used, (_, times) in zip(runs.values(), _OFTEN.values(), strict=True))
    return _PAGE.format(
        tenants=_TENANTS,
        size=size / 1e6,
        total=total,
        night=runs["vault_backup"].cost(),
        month="\n".join(f"| {line.what} | {line.how_often} | {line.usd:.2f} |" for line in lines),
        hundred=99 * seconds * PRICES[_SECONDS][0],
        scenarios=" | ".join(f"`{scenario}`" for scenario in runs),
        right=" ---: |" * len(runs),
        counted="\n".join(_row(unit, runs) for unit in PRICES if any(used.units[unit] for used in runs.values())),
        prices="\n".join(f"- {unit}: {_exact(price)} USD ({source})" for unit, (price, source) in PRICES.items()),
    )


def _row(unit: str, runs: dict[str, _Used]) -> str:
    counts = " | ".join(_count(used.units[unit]) for used in runs.values())
    return f"| {unit} | {counts} | {_exact(PRICES[unit][0])} |"


def _exact(price: float) -> str:
    return f"{price:.10f}".rstrip("0").rstrip(".")


def _count(value: float) -> str:
    if value >= 10 or value == round(value):
        return f"{value:,.0f}" if value else ""
    return f"{float(f'{value:.2g}'):.10f}".rstrip("0")
