"""`make docs`: write what follows from the code into the documents: pictures, runbooks, the list of errors.

A test holds that the documents are what this writes, so that neither can change without the other.
"""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec

from infra.names import BUCKETS, KEYS, TABLES
from infra.permissions import ACTIONS
from infra.scenario import definition, scenario_names
from infra.schedule import FOLLOWS, SCHEDULES
from infra.uses import TableUse
from lambdas.domain.errors import all_errors
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.objectives import Objective
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS, Scenario
from lambdas.domain.timeline import expected_in_words, in_words

ROOT = Path(__file__).resolve().parent.parent

_ABOUT = {
    "reason": "why, in your own words; it goes into the audit trail and the alert",
    "incident_id": "the incident that this answers to",
    "requested_by": "who asks for it, as the audit trail shall have it",
    "backup_date": "the newest good backup of this day (UTC)",
    "backup_id": "this very backup; also the only way to restore one that was saved before a restore",
    "scheduled_for": "set by what starts it by itself; leave it out",
    "accept_loss": "backs Vault up although it looks emptied or replaced, since that is meant",
    "without_saving": "overwrites what Vault holds without saving it first, where it cannot be saved and may be lost",
}


def house_picture() -> str:
    """The house, as a Mermaid flowchart: one region in full, and the other, which is the same."""
    schedules = "<br/>".join(f"{name}, {cron.when}" for name, cron in SCHEDULES.items())
    machines = "<br/>".join(scenario_names())
    return f"""flowchart LR
  person(["on-call engineer"])
  subgraph primary["primary region"]
    schedule["EventBridge<br/>{schedules}"] --> machines
    machines["Step Functions<br/>{machines}"] --> actions["Lambda<br/>{len(ACTIONS)} actions, one role each"]
    machines -. "failed, timed out, stopped" .-> alerts["SNS<br/>operations, security"]
    actions -. "ages, every hour" .-> alarms["CloudWatch<br/>too old, or silence"]
    alarms -.-> alerts
    actions --> keys["KMS, multi-Region keys<br/>{_listed(KEYS, 3)}"]
    actions --> objects[("S3<br/>{_listed(BUCKETS, 3)}")]
    actions --> tables[("DynamoDB<br/>{_listed(TABLES, 3)}")]
  end
  vault[("Vault")]
  standby["standby region<br/>the same house, backups off:<br/>watches its copies,<br/>recovers with the primary gone"]
  monitor(["monitor outside of AWS"])
  person -- "console: a reason" --> machines
  actions -- "one login a duty,<br/>signed by KMS" --> vault
  alerts -- "e-mail, SMS, webhook" --> person
  actions -- "a good night" --> monitor
  monitor -. "silence" .-> person
  objects -- "every backup is copied,<br/>and proved there" --> standby
  keys -. "replicas" .-> standby
  standby --> vault"""


def phases_picture(scenario: str) -> str:
    """A scenario in phases, as a Mermaid flowchart: what only looks, what changes the target, what proves it."""
    steps = {name: state for name, state in _states(scenario).items() if state["Type"] == "Task"}
    tasks = [name for name in steps if name != "FailOperation"]
    changing = [i for i, name in enumerate(tasks) if _changes_target(steps[name])]
    first, last = changing[0], changing[-1] + 1
    phases = (
        ("look", "nothing live is touched", tasks[:first]),
        ("change", "under the lease, checked again", tasks[first:last]),
        ("prove", "green only after this", tasks[last:]),
    )
    lines = ["flowchart TD"]
    for name, title, states in phases:
        lines += [f'  subgraph {name}["{title}"]', "    direction LR", "    " + " --> ".join(states), "  end"]
    lines += ["  look --> change --> prove", '  prove --> green(["green"])']
    lines += [f'  {name} -. "any failure" .-> FailOperation' for name, _, _ in phases]
    lines.append('  FailOperation --> red(["red, and an alert"])')
    return "\n".join(lines)


def scenario_picture(scenario: str) -> str:
    """A scenario's states in order, as a Mermaid flowchart; every failure leads to `FailOperation`."""
    states = _states(scenario)
    lines = ["flowchart TD", f'  start(["{machine_name(scenario)}"]) --> {definition(scenario)["StartAt"]}']
    for name, state in states.items():
        label = f"<b>{name}</b>" + (f"<br/>{state['Comment']}" if "Comment" in state else "")
        shape = {"Choice": f'{name}{{"{label}"}}', "Fail": f'{name}(["red"])'}.get(state["Type"], f'{name}["{label}"]')
        lines.append(f"  {shape}")
        choices = state.get("Choices", [])
        lines += [f'  {name} -- "if {_condition(choice)}" --> {choice["Next"]}' for choice in choices]
        if "Default" in state:
            lines.append(f"  {name} -- otherwise --> {state['Default']}")
        if "Next" in state:
            lines.append(f"  {name} --> {state['Next']}")
        if state.get("End"):
            lines.append(f'  {name} --> green(["green"])')
        legs = [catch["Next"] for catch in state.get("Catch", []) if catch["Next"] not in ("FailOperation", "Failed")]
        lines += [f'  {name} -. "if it fails, too" .-> {leg}' for leg in legs]
    lines.append("  any(any step fails) -.-> FailOperation")
    return "\n".join(lines)


def _condition(choice: dict[str, Any]) -> str:
    """The condition of a choice as it stands in the state machine, without the marks around it."""
    return str(choice["Condition"]).removeprefix("{%").removesuffix("%}").strip().replace('"', "'")


def _promise(objective: Objective) -> str:
    """What is promised in words; of data nothing where the scenario brings none back."""
    data = f", data at most {in_words(objective.rpo)} old" if objective.rpo else ""
    return f"{in_words(objective.rto)} until done{data}"


def runbook(scenario: Scenario) -> str:
    """The page that the on-call engineer opens."""
    plan = scenario.plan
    asl: dict[str, Any] = definition(scenario.name)
    return f"""<!-- Written by `make docs` from the state machine and the code. -->
# {scenario.name}

{asl["Comment"]}

| | |
| --- | --- |
| State machine | `{machine_name(scenario.name)}` |
| Starts | {_starts(scenario)} |
| Changes | `{scenario.target}`: one execution at a time |
| Promise | {_promise(plan.objective)} |
| Stopped after | {in_words(asl["TimeoutSeconds"])} |
| In the audit trail | `{scenario.completed}`, or `{scenario.failed}` |

## Start it
{_before(scenario)}
In the console: Step Functions, `{machine_name(scenario.name)}`, *Start execution*, with this input:

```json
{scenario.example}
```

| Field | Type | |
| --- | --- | --- |
{_fields(scenario)}

## What it does

| Step | | Time limit | Plan |
| --- | --- | --- | --- |
{_steps(scenario)}

```mermaid
{scenario_picture(scenario.name)}
```

## When it fails

The execution ends red, an alert says what happened and what to do, and the lease is free. Do what the alert says,
then start it again: with the same input, unless that cure asks for another. Doing again what is done does no harm.
All errors: [errors.md](../errors.md).
"""


def _before(scenario: Scenario) -> str:
    """What has to be there before a scenario can do its work."""
    if scenario.name != "vault_restore":
        return ""
    return """
0. Vault has to answer. If its disk or its host is lost, start an empty Vault at the same address, on a host that has
   the files of `vault-configuration` (`start-vault.sh -config=...`): it sets itself up, and nobody types a key. Of a
   cluster, start the first node and let the others join it, empty.
1. Start the execution. Nothing live is touched before the backup is proved.
2. Every token that Vault has issued since the backup ends with the restore: applications have to log in again.
"""


def error_list() -> str:
    """Every error, its sentence and its cure."""
    rows = "\n".join(
        f"| `{error.code}` | {error.sentence} | {_hints(error)} | {'yes' if error.transient else ''} |"
        for error in sorted(all_errors(), key=lambda error: error.code)
    )
    return f"""<!-- Written by `make docs` from lambdas/domain/errors.py. -->
# Errors

What `{{…}}` stands for is in the message itself. A transient error is tried again by the state machine.

| Code | What happened | What to do | Transient |
| --- | --- | --- | --- |
{rows}
"""


def _hints(error: type[MailarkError]) -> str:
    """The hint, and those for the series of backups that have another."""
    others = "".join(f" For `{series}`: {hint}" for series, hint in error.hints.items())
    return _single(error.hint) + others


def _single(hint: str) -> str:
    """A hint with the braces that it shows, which `str.format` takes doubled."""
    return hint.replace("{{", "{").replace("}}", "}")


def documents() -> dict[Path, str]:
    """Every generated document, and every document with a generated part, as it should be."""
    found = {ROOT / "docs" / "errors.md": error_list()}
    for scenario in SCENARIOS.values():
        found[ROOT / "docs" / "runbooks" / f"{scenario.name}.md"] = runbook(scenario)
    readme = ROOT / "README.md"
    text = readme.read_text()
    for name, picture in (("house", house_picture()), ("recovery", phases_picture("vault_restore"))):
        text = _between(text, name, f"```mermaid\n{picture}\n```")
    found[readme] = text
    return found


def _between(text: str, name: str, content: str) -> str:
    start, end = f"<!-- picture: {name} -->", f"<!-- end: {name} -->"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"README.md lacks {start} … {end}")
    return f"{before}{start}\n{content}\n{end}{after}"


def _states(scenario: str) -> dict[str, Any]:
    found: Any = definition(scenario)["States"]
    return dict(found)


def _changes_target(task: dict[str, Any]) -> bool:
    """Whether the action of a task works under the lease: those that change what lives do, and no others."""
    if "FunctionName" not in task["Arguments"]:
        return False  # it starts a machine that asks somebody
    uses = ACTIONS[task["Arguments"]["FunctionName"].strip("${}")].uses
    tables = [use.table for use in uses if isinstance(use, TableUse)]
    return "leases" in tables and "operations" not in tables


def _starts(scenario: Scenario) -> str:
    by_person = "by a person, in the console"
    if follow := FOLLOWS.get(scenario.name):
        return f"by itself when {follow.scenario} was stopped or ran out of time, and {by_person}"
    if scenario.name not in SCHEDULES:
        return by_person
    return f"{SCHEDULES[scenario.name].when}, and {by_person}"


def _fields(scenario: Scenario) -> str:
    rows = []
    for field in msgspec.structs.fields(scenario.input):
        name = _word(field.type)
        need = ", required" if field.required else ""
        rows.append(f"| `{field.encode_name}` | {name}{need} | {_ABOUT[field.encode_name]} |")
    return "\n".join(rows)


def _word(kind: Any) -> str:
    """What a person is to type for a field of this type."""
    words = {date: "date", datetime: "time", bool: "true or false"}
    kinds = [kind, *get_args(kind), *(inner for each in get_args(kind) for inner in get_args(each))]
    return next((word for each, word in words.items() if each in kinds), "text")


def _steps(scenario: Scenario) -> str:
    rows = []
    for name, state in _states(scenario.name).items():
        if state["Type"] == "Task" and name != "FailOperation":
            plan = expected_in_words(scenario.plan.steps.get(name))
            rows.append(f"| {name} | {state['Comment']} | {in_words(state['TimeoutSeconds'])} | {plan} |")
    return "\n".join(rows)


def _listed(names: tuple[str, ...], a_line: int) -> str:
    lines = [", ".join(names[i : i + a_line]) for i in range(0, len(names), a_line)]
    return "<br/>".join(lines)


def main() -> int:
    """The command; returns its exit code."""
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
