"""The pictures of the documents, as Mermaid flowcharts, from the state machines and the code."""

from typing import Any

from infra.names import BUCKETS, KEYS, TABLES
from infra.permissions import ACTIONS
from infra.scenario import definition, scenario_names
from infra.schedule import FOLLOWS, SCHEDULES
from infra.uses import TableUse
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS

_LEGS_DRAWN = 3
"""Of so many states that lead to one place when they fail, each has a line of its own in a picture."""


def house_picture() -> str:
    """The house, as a Mermaid flowchart: one region in full, and the other, which is the same."""
    groups = "\n".join(f'      {name}["{text}"]' for name, text in _groups().items())
    return f"""flowchart LR
  person(["on-call engineer"])
  subgraph primary["primary region"]
    clock["EventBridge<br/>by the clock, UTC"] --> machines
    subgraph machines["Step Functions"]
{groups}
    end
    machines --> actions["Lambda<br/>{len(ACTIONS)} actions, one role each"]
    machines -. "failed, timed out, stopped" .-> alerts["SNS<br/>operations, security"]
    actions -. "ages, every hour" .-> alarms["CloudWatch<br/>too old, or silence"]
    alarms -.-> alerts
    actions --> keys["KMS, multi-Region keys<br/>{_listed(KEYS, 3)}"]
    actions --> objects[("S3<br/>{_listed(BUCKETS, 3)}")]
    actions --> tables[("DynamoDB<br/>{_listed(TABLES, 3)}")]
  end
  vault[("Vault")]
  database[("PostgreSQL")]
  standby["standby region<br/>the same house, backups off:<br/>watches its copies,<br/>recovers with the primary gone"]
  monitor(["monitor outside of AWS"])
  second[("second store<br/>S3-compatible, if wanted")]
  person -- "console: a reason;<br/>another person: approval" --> machines
  actions -- "one login a duty,<br/>signed by KMS" --> vault
  actions -- "TLS, name verified" --> database
  alerts -- "e-mail, SMS, webhook" --> person
  actions -- "a good night" --> monitor
  monitor -. "silence" .-> person
  actions -- "every dump" --> second
  objects -- "every backup is copied,<br/>and proved there" --> standby
  keys -. "replicas" .-> standby
  standby --> vault & database"""


def _groups() -> dict[str, str]:
    """The scenarios by what they are for, each with when it starts by itself."""
    groups: dict[str, list[str]] = {"backups": [], "tests": [], "recoveries": [], "after a stop": [], "watch": []}
    for name in scenario_names():
        if name.endswith("_backup"):
            group = "backups"
        elif name in FOLLOWS:
            group = "after a stop"
        elif SCENARIOS[name].mode == "rehearse":
            group = "tests"
        else:
            group = "watch" if name in SCHEDULES else "recoveries"
        when = f", {SCHEDULES[name].when.removesuffix(' UTC')}" if name in SCHEDULES else ""
        groups[group].append(name + when)
    return {group.replace(" ", "_"): "<br/>".join([f"<b>{group}</b>", *names]) for group, names in groups.items()}


def phases_picture(scenario: str) -> str:
    """A scenario in phases, as a Mermaid flowchart: what only looks, what changes the target, what proves it."""
    steps = {name: state for name, state in states_of(scenario).items() if state["Type"] == "Task"}
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
    """A machine's states in order, as a Mermaid flowchart, with where a failure leads."""
    states, red = states_of(scenario), _failure_of(scenario)
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
    lines += _failures(states, red)
    lines.append(f"  any(any other failure) -.-> {red}")
    return "\n".join(lines)


def _failures(states: dict[str, Any], red: str) -> list[str]:
    """Where the failure of single states leads; of several to one place, one line says it."""
    legs: dict[str, list[str]] = {}
    for name, state in states.items():
        for target in dict.fromkeys(catch["Next"] for catch in state.get("Catch", [])):
            if target not in (red, "Failed"):
                legs.setdefault(target, []).append(name)
    lines = []
    for target, names in legs.items():
        if len(names) > _LEGS_DRAWN:
            lines.append(f'  fails{target}("a failure of<br/>{_listed(tuple(names), 1)}") -.-> {target}')
            continue
        for name in names:
            goes_on = states[name].get("Next") == target
            lines.append(f'  {name} -. "{"also if it fails" if goes_on else "if it fails"}" .-> {target}')
    return lines


def _failure_of(machine: str) -> str:
    """The state that a machine ends in after a failure."""
    return "FailOperation" if "FailOperation" in states_of(machine) else "Failed"


def _condition(choice: dict[str, Any]) -> str:
    """The condition of a choice as it stands in the state machine, without the marks around it."""
    return str(choice["Condition"]).removeprefix("{%").removesuffix("%}").strip().replace('"', "'")


def states_of(scenario: str) -> dict[str, Any]:
    """The states of a machine, in their order, as plain data."""
    found: Any = definition(scenario)["States"]
    return dict(found)


def _changes_target(task: dict[str, Any]) -> bool:
    """Whether the action of a task works under the lease: those that change what lives do, and no others."""
    if "FunctionName" not in task["Arguments"]:
        return False  # it starts a machine that asks somebody
    uses = ACTIONS[task["Arguments"]["FunctionName"].strip("${}")].uses
    tables = [use.table for use in uses if isinstance(use, TableUse)]
    return "leases" in tables and "operations" not in tables


def _listed(names: tuple[str, ...], a_line: int) -> str:
    lines = [", ".join(names[i : i + a_line]) for i in range(0, len(names), a_line)]
    return "<br/>".join(lines)
