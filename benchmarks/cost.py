"""What a night and a month cost: what the scenarios ask of AWS in the lab, at AWS's published prices."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Figure, figure
from benchmarks.grown import Year, full_house, kept
from benchmarks.prices import PRICES, Units, usd
from infra.permissions import ACTIONS
from infra.scenario import definition
from infra.schedule import SCHEDULES
from lab.aws import ROOT
from lab.gate import Call, Fault
from lab.lab import Lab, Progress
from lab.tenants import make_tenants
from lab.watching import follow, start
from lambdas.domain.operation import machine_name

_DOCUMENT = ROOT / "docs" / "cost.md"
_TENANTS = 1000
DATABASE_MEGABYTES = 200
"""Of mail in the database, as text."""
_DAYS, _WEEKS, _HOURS = 30.4, 4.35, 730
_APPEND = "TransactWriteItems"
"""What appends an event to the audit trail, and nothing else does."""
_TRANSACTION = 9
"""Write units of one audit event: two for each of three items (DynamoDB guide, "Transactions"), and three indexes."""

_LOG_GB = 0.000_002
"""Two lines of a kilobyte for each run of a function, and what Lambda adds."""
_KEYS, _ROTATED = 16, 6
_KINDS = ("vault", "database")
_METRICS = len(_KINDS) * (2 + 1 + 4) + sum(2 * (2 if cron.in_both_regions else 1) for cron in SCHEDULES.values())
"""Of each kind, the age of the backups in two regions, and that of the restore tests in the primary, since the standby
runs none; the time and the point of recovery of a restore test, and whether each was missed; and two figures of each
scheduled scenario, in the regions where it is on. Each is priced for the whole month."""
_SECONDS = "GB-second of a function"


@dataclass
class _Used:
    """What one execution has used."""

    scenario: str
    units: Units = field(default_factory=lambda: defaultdict(float))
    events: int = 0

    def add(self, units: Units) -> None:
        for unit, count in units.items():
            self.units[unit] += count

    def cost(self) -> float:
        return usd(self.units)


def cost(lab: Lab, progress: Progress) -> list[Figure]:
    """Run what runs by itself, count what it uses, and write `docs/cost.md`."""
    progress(f"Cost: {_TENANTS:,} tenants, and what each scenario uses")
    for _ in lab.platform().store(make_tenants(_TENANTS)):
        pass
    runs = {}
    for scenario in _OFTEN:
        _run(lab, scenario)  # once before, so that connections and functions are warm, as they are not on AWS
        runs[scenario] = _run(lab, scenario)
    sizes, year = {kind: _backup_sizes(lab, kind) for kind in _KINDS}, _first_year(lab, runs)
    for kind in _KINDS:
        runs[f"{kind}_backup"].add(full_house(kind, len(sizes[kind])))
    largest = {kind: max(sizes[kind]) for kind in _KINDS}
    runs["audit_signing"].add(year.signing())
    runs["audit_verification"].add(year.verification())
    lines = [*_scenario_lines(runs), *_standing_lines(lab, largest), *_recorded_lines(year)]
    total = sum(line.usd for line in lines)
    _DOCUMENT.write_text(_text(runs, lines, largest, total, year))
    night = f"a night's backups: {_night(runs):.4f} USD ([docs/cost.md](docs/cost.md))"
    return [figure("Cost of a month", total, "USD", night)]


def _night(runs: Mapping[str, _Used]) -> float:
    return sum(runs[f"{kind}_backup"].cost() for kind in _KINDS)


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
        used.events += call.target == _APPEND
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
        lists = any(word in call.query for word in ("list-type", "versions", "uploads"))
        writes = call.method in ("PUT", "POST") or lists
        return ("S3 write" if writes else "S3 read"), 1
    if call.service == "dynamodb":
        if call.target == _APPEND:
            return "DynamoDB write unit", _TRANSACTION
        writes = call.target in ("PutItem", "UpdateItem", "DeleteItem")
        return ("DynamoDB write unit" if writes else "DynamoDB read unit"), 1
    if call.service == "secretsmanager":
        return "Secrets Manager request", 1
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
    "database_backup": ("nightly", _DAYS),
    "database_restore_test": ("monthly", 1.0),
    "backup_watch": ("hourly, in two regions", _HOURS * 2),
    "audit_signing": ("hourly, in two regions", _HOURS * 2),
    "audit_verification": ("daily, in two regions", _DAYS * 2),
}


def _first_year(lab: Lab, runs: Mapping[str, _Used]) -> Year:
    """What the primary has recorded when its first year ends, of such events and operations as the lab has recorded.

    The standby has a little less: it makes no backups.
    """
    yearly = {each: 12 * times / (2 if SCHEDULES[each].in_both_regions else 1) for each, (_, times) in _OFTEN.items()}
    return Year(
        documents=yearly["audit_signing"],
        events=sum(times * runs[scenario].events for scenario, times in yearly.items()),
        operations=sum(yearly.values()),
        event_bytes=_item_bytes(lab, "audit-events"),
        id_bytes=_item_bytes(lab, "audit-heads"),
        operation_bytes=_item_bytes(lab, "operations"),
    )


def _item_bytes(lab: Lab, table: str) -> float:
    """How large an item of a table is: its names and values (DynamoDB guide, "Item sizes and formats")."""
    items = lab.client("dynamodb").scan(TableName=f"mailark-{table}")["Items"]
    return sum(len(name) + len(str(value)) for item in items for name, value in _plain(item)) / len(items)


def _plain(item: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, typed in item.items():
        yield name, next(iter(typed.values()))


def _scenario_lines(runs: dict[str, _Used]) -> Iterator[_Line]:
    for scenario, (words, times) in _OFTEN.items():
        yield _Line(f"`{machine_name(scenario)}`", words, runs[scenario].cost() * times)


def _standing_lines(lab: Lab, sizes: Mapping[str, int]) -> Iterator[_Line]:
    secrets = sum(_secrets(lab, region) for region in (lab.primary, lab.standby))
    alarms = sum(len(_paged(lab, region)) for region in (lab.primary, lab.standby))
    yield _Line(f"{_KEYS} KMS keys", "eight in each region", _KEYS * PRICES["KMS key"][0])
    yield _Line("their rotation", "yearly, six keys: after the first year", _ROTATED * PRICES["KMS key"][0])
    yield _Line(f"{alarms} alarms", "in two regions", alarms * PRICES["alarm"][0])
    yield _Line(f"{_METRICS} metrics", "in two regions", _METRICS * PRICES["custom metric"][0])
    yield _Line(f"{secrets} secrets", "in two regions", secrets * PRICES["secret"][0])
    for kind, size in sizes.items():
        here, there = kept(kind)
        stored = size * (here + there) / 1e9 * PRICES["GB in S3"][0]
        where = f"{here} kept here, {there} in the other region"
        yield _Line(f"backups of {_HOLDS[kind]}, {size / 1e6:.1f} MB each", where, stored)
    sent = sum(sizes.values()) * _DAYS / 1e9
    yield _Line("copies", "nightly", sent * PRICES["GB to the other region"][0])


_HOLDS = {"vault": "Vault", "database": "the database"}


def _secrets(lab: Lab, region: str) -> int:
    """The secrets that the estate names, and their replicas: who may log in to what."""
    pages = lab.client("secretsmanager", region).get_paginator("list_secrets").paginate()
    return sum(len(page["SecretList"]) for page in pages)


def _paged(lab: Lab, region: str) -> list[Any]:
    pages = lab.client("cloudwatch", region).get_paginator("describe_alarms").paginate()
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def _recorded_lines(year: Year) -> Iterator[_Line]:
    what = f"{year.events:,.0f} events and {year.operations:,.0f} operations"
    yield _Line(what, "recorded in each of two regions in the first year", 2 * usd(year.stored()))


def _backup_sizes(lab: Lab, kind: str) -> list[int]:
    """The size of each nightly backup of a kind in the catalog."""
    rows = lab.client("dynamodb").scan(TableName="mailark-catalog")["Items"]
    return [int(row["size"]["N"]) for row in rows if (row["kind"]["S"], row["series"]["S"]) == (kind, "daily")]


_PAGE = """\
# What it costs

<!-- Written by `make bench`: change benchmarks/cost.py instead. -->

The example estate, with {tenants:,} tenants, a snapshot of {size:.1f} MB and a database of {megabytes} MB, costs
**{total:.2f} USD a month** when its first year ends, and a night's backups {night:.4f} USD, before any free tier. Most
of it stands still: keys, metrics and secrets.

| A month | How often | USD |
| --- | --- | ---: |
{month}
| **all of it** | | **{total:.2f}** |

## What one run uses

Counted in the lab, where functions call AWS through a proxy; what a young house does not ask for is added (below). On
AWS a function waits longer for the network and starts cold; a hundred times the seconds would add {hundred:.2f} USD a
month. An event of the audit trail counts as nine write units: a transaction of three items, and three indexes. Another
read of DynamoDB counts as one unit; one of the full catalog needs more, which is less than a cent a month.

| | {scenarios} | USD each |
| --- |{right} ---: |
{counted}

## What grows with time

The lab is some minutes old. To what was counted there, this is added ([formulas](../benchmarks/grown.py)), without the
seconds that it takes:

- `vault_backup` and `database_backup`: a house that keeps all that it is to keep. The locks of each backup are read
  every night, and those of the daily ones set again on a night that comes later in the day than those before it: priced
  as if every night did. This is full after a year, and grows no more.
- `audit_signing` reads every row of the table of heads to find the few that are heads. When the first year ends,
  {events:,.0f} events have left one each: {signing:.2f} USD of the month. It grows by as much every year.
- `audit_verification` reads every signed document and every event, each day: {documents:,.0f} documents when the first
  year ends, {verification:.2f} USD of the month. It grows by as much every year, and so does what it takes: a minute
  more for each run is {minute:.2f} USD a month, and is not in it.
- Events, operations and signed documents are never deleted: {recorded:.2f} USD of the month when the first year ends,
  and as much more every year.

With more tenants a snapshot grows, with more mail a dump, and what is stored and copied of them; a recovery adds to the
audit trail what it did.

## Prices

Of us-east-1, as AWS publishes them; other regions are up to a quarter dearer.

{prices}

Not in it: what your network costs (a NAT gateway or endpoints, by the hour), SMS, the servers themselves, a second
store outside of AWS, and CloudTrail's data events if you turn them on. E-mail and webhooks of SNS cost less than a
cent.
"""


def _text(runs: dict[str, _Used], lines: Sequence[_Line], sizes: Mapping[str, int], total: float, year: Year) -> str:
    seconds = sum(used.units[_SECONDS] * times for used, (_, times) in zip(runs.values(), _OFTEN.values(), strict=True))
    minute = 60 * ACTIONS["verify_audit_trail"].memory / 1024 * PRICES[_SECONDS][0]
    return _PAGE.format(
        tenants=_TENANTS,
        size=sizes["vault"] / 1e6,
        megabytes=DATABASE_MEGABYTES,
        total=total,
        night=_night(runs),
        month="\n".join(f"| {line.what} | {line.how_often} | {line.usd:.2f} |" for line in lines),
        hundred=99 * seconds * PRICES[_SECONDS][0],
        scenarios=" | ".join(f"`{scenario}`" for scenario in runs),
        right=" ---: |" * len(runs),
        counted="\n".join(_row(unit, runs) for unit in PRICES if any(used.units[unit] for used in runs.values())),
        events=year.events,
        documents=year.documents,
        signing=usd(year.signing()) * _OFTEN["audit_signing"][1],
        verification=usd(year.verification()) * _OFTEN["audit_verification"][1],
        recorded=2 * usd(year.stored()),
        minute=minute * _OFTEN["audit_verification"][1],
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
