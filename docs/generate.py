"""`make docs`: write what follows from the code into the documents: pictures, runbooks, the list of errors.

A test holds that the documents are what this writes, so that neither can change without the other.
"""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from docs.pictures import house_picture, phases_picture, scenario_picture, states_of
from infra.scenario import child_names, definition, scenario_names
from infra.schedule import FOLLOWS, SCHEDULES
from lambdas.domain.errors import all_errors
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.objectives import Objective
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS, Scenario
from lambdas.domain.tenant import TENANT
from lambdas.domain.timeline import expected_in_words, in_words

ROOT = Path(__file__).resolve().parent.parent

_ABOUT = {
    "reason": "why, in your own words; it goes into the audit trail and the alert",
    "incident_id": "the incident that this answers to",
    "requested_by": "who asks for it, as the audit trail shall have it",
    "backup_date": "the newest good backup of this day (UTC)",
    "backup_id": "this very backup; also the only way to restore one that was saved before a restore",
    "scheduled_for": "set by what starts it by itself; leave it out",
    "stopped": "set by what starts it by itself, the execution that was stopped; left out, they run on the live server",
    "accept_loss": "makes the backup, and takes it for good, although something looks lost, since that is meant",
    "without_saving": "overwrites what Vault holds without saving it first, where it cannot be saved and may be lost",
    "pre_restore_backup": "`false` saves no dump of what is still readable; the damaged database is kept in any case",
    "even_if_sound": "restores although no damage was found, or none but that of indexes",
    "on_fresh": "restores onto the server `database.fresh` of the estate; the services stay stopped",
    "kept_as": "the database that is to be live again, by the name it has now: for a swap of more than 24 hours ago",
    "deleted_at": "when the rows were deleted, with its zone; the backup is the newest that was finished before",
    "scope": "tables, each with a condition or whole; left out, the tables that lost rows are shown, and nothing else",
    "on_conflict": "`skip` leaves rows out that cannot come back; `stop`, the default, then imports none",
    "tenant_id": "the tenant whose credential has leaked, a UUID of version 4 in lower case",
    "compromise_details": "what is known of the leak; it goes into the audit trail and to the security team",
    "alarm": "set by the alarm that starts it by itself; leave it out",
    "mode": "`export` writes the rows as CSV, and imports nothing; the default is `import`",
}

_BEFORE = {
    "vault_restore": """
0. Vault has to answer. If its disk or its host is lost, start an empty Vault at the same address, on a host that has
   the files of `vault-configuration` (`start-vault.sh -config=...`): it sets itself up, and nobody types a key. Of a
   cluster, start the first node and let the others join it, empty.
1. Start the execution. Nothing live is touched before the backup is proved.
2. Every token that Vault has issued since the backup ends with the restore: applications have to log in again.
""",
    "credential_compromise": """
0. Nothing has to be prepared, and no old password is needed. If an alarm has started a response to this tenant, a
   second one joins it.
   The tenant's id is the name of its folder in Vault: `smtp/<id>/admin` has its `username`. Whether a response runs
   already: `.venv/bin/python -m lambdas.status`. Without an API token at `api_keys/<id>/mailu` it ends red.
1. Start the execution. The tenant's programs read the new password from Vault; whoever asks Vault again after a
   refusal does not notice. App tokens end: a mail program that used one needs a new one.
2. When it has succeeded, read the alert to the security contacts: open IMAP connections, and what an intruder may have
   left (forwards, aliases, managers), are for a person to end, with the commands that it gives.
3. If it fails, it says whether the leaked password still works. Start it again: that sets one more password, and does
   all that is left.
""",
    "database_corruption": """
0. A PostgreSQL server has to answer: the live one, however damaged its database is, or with `"on_fresh": true` the one
   in `database.fresh`. If the disk itself may be the cause, or the server is lost, take the fresh one, or start an
   empty server at the live one's address. A new server needs the login, and the roles and extensions that the dump
   names: `python -m lambdas.break_glass open` writes the roles as SQL ([how](../break-glass.md#a-database)).
   The role in the secret of the server that is restored onto has to be a superuser: if it is a lesser one, put a
   superuser's login into that secret now ([the command](../operating.md#logins-of-the-database)).
1. Start the execution. The services are stopped once a backup is proved intact; nothing else that lives is touched
   before the swap, and whatever fails before it starts them again. All that was written since the backup is then in
   the old database alone, which stays as `kept_as` in the record names it.
2. With `on_fresh`, point the services and `database.server` of the estate to the new server, and start them yourself;
   also where it fails, or is stopped, after its swap.
3. To go back to the old database: `mailark-database-swap-undo`.
""",
    "database_swap_undo": """
1. It puts the old database live again, with whatever damage it has. Start the execution. The database that the newest
   `database_corruption` put in place is kept as
   `<name>_undone_<time>`, with all that was written to it since. A swap that is older than 24 hours wants `kept_as`;
   what cannot be undone is told before the services are stopped.
2. It undoes what was swapped on the live server; a restore onto a fresh one has replaced nothing there.
3. It undoes one swap. Where the database that it put back had itself been swapped in, another start undoes that one.
""",
    "services_start": """
1. It starts the services on whichever database has the live name, proves that they work, and drops what was restored
   and not yet swapped in. To be started by hand where services stand still and nobody meant them to.
2. After a recovery with `on_fresh` that was stopped once its database was in place there, it starts none by itself, and
   says how they get there. Started by hand, it runs them on the live server all the same: that database is given up.
""",
    "data_deletion": """
1. Say when the rows were deleted, and which: tables, or a table with a condition (SQL, as after WHERE). What hangs on
   them comes too: an organization with its users, domains, aliases and messages. Without `scope` the execution ends
   with the tables that have lost rows (`lost` in its output), and changes nothing: choose, and start it again.
2. It asks for an approval, and waits: somebody else than you looks at the preview, and decides
   ([how](../operating.md#approvals)). Nothing is written before; then exactly what was approved is inserted, in one
   transaction, and no live row is changed.
3. On conflicts nothing is imported; `conflicts.csv` beside the preview lists them.
""",
}
"""What has to be there before a scenario can do its work, and what to know at its start."""


_AFTERWARDS = {
    "database_corruption": """
## When it has ended green

The damaged database stays as `kept_as` in the output names it, and must not stay for long: PostgreSQL stops taking
writes in the end. Drop it within weeks. After `on_fresh`, take `database.fresh` out of the estate and deploy, and give
the next nightly dump `accept_loss` once. The commands: [operating.md](../operating.md#it-is-damaged).
""",
    "data_deletion": """
More: [operating.md](../operating.md#rows-were-deleted); how to approve: [operating.md](../operating.md#approvals).
""",
    "credential_compromise": """
More: [what it needs, and what it leaves to a person](../operating.md#a-credential-leaks);
[how a leak is noticed](../detection.md).
""",
}
"""What a page says at its end."""


_HAPPENED = {
    "credential_compromise": "a tenant's SMTP credential has leaked",
    "vault_restore": "Vault is lost: its disk, its host, or what it held",
    "database_corruption": "the database is damaged or lost",
    "data_deletion": "rows were deleted",
    "database_swap_undo": "the database from before the last recovery is to be live again",
    "services_start": "the services stand still, after a recovery that was stopped",
    "approval": "an operation waits for a person",
    "catalog_rebuild": "the catalog of the backups is lost, or lacks some",
    "vault_backup": "Vault has no fresh backup",
    "database_backup": "the database has no fresh backup",
    "vault_restore_test": "nobody knows whether a backup of Vault can be restored",
    "database_restore_test": "nobody knows whether a dump can be restored",
    "staging_emptying": "a restore test left secrets in the staging Vault",
    "database_staging_emptying": "a restore test left a database on the staging server",
    "row_recovery_emptying": "a recovery of rows left a database on the staging server",
    "backup_watch": "nobody has said for hours how old the backups are",
    "audit_signing": "the audit trail is not signed, or not archived",
    "audit_verification": "somebody may have changed the audit trail",
}
"""What each page is for, as somebody would say it who looks for it: what is worst comes first."""


_ERRORS_OF = {
    "errors": "Backups and the house",
    "vault_errors": "Vault",
    "database_errors": "The database",
    "recovery_errors": "Deleted rows",
    "service_errors": "The services that use the database",
    "approval_errors": "Approvals",
    "mailu_errors": "Tenants' mail servers and passwords",
    "credential_errors": "Credentials in Vault and in the escrow",
}
"""What the errors of each module are of."""


def _promise(objective: Objective) -> str:
    """What is promised in words; of data nothing where the scenario brings none back."""
    data = f", data at most {in_words(objective.rpo)} old" if objective.rpo else ""
    return f"{in_words(objective.rto)} until done{data}"


def _title(name: str) -> str:
    return f"<!-- Written by `make docs` from the state machine and the code. -->\n# {name}"


def index() -> str:
    """The page that leads to the others: by what happened."""
    rows = "\n".join(f"| {what} | [{name}]({name}.md) | `{machine_name(name)}` |" for name, what in _HAPPENED.items())
    return f"""<!-- Written by `make docs`. -->
# Runbooks

First ask `.venv/bin/python -m lambdas.status`: it says what is protected, what ran last, and what would fail now.

| What happened | Page | State machine |
| --- | --- | --- |
{rows}

Without AWS: [break-glass.md](../break-glass.md). All errors, and what to do: [errors.md](../errors.md).
"""


def child_page(child: str) -> str:
    """The page of a part of scenarios, which they start and wait for."""
    asl: dict[str, Any] = definition(child)
    parents = ", ".join(f"[{name}]({name}.md)" for name in scenario_names() if child in _children(name))
    return f"""{_title(child)}

{asl["Comment"]}

A part of {parents}, which starts `{machine_name(child)}` and waits for its end.
It is stopped after {in_words(asl["TimeoutSeconds"])}. How to decide: [operating.md](../operating.md#approvals).

| Step | | Time limit |
| --- | --- | --- |
{_steps(child, planned=False)}

```mermaid
{scenario_picture(child)}
```

## When it fails

The operation that has started it ends red, and its alert says why. All errors: [errors.md](../errors.md).
"""


def _children(scenario: str) -> list[str]:
    """The parts that a scenario starts."""
    return [child for child in child_names() for state in states_of(scenario).values() if _starts_child(state, child)]


def _starts_child(state: dict[str, Any], child: str) -> bool:
    return bool(state.get("Arguments", {}).get("StateMachineArn") == f"${{{child}}}")


def runbook(scenario: Scenario) -> str:
    """The page that the on-call engineer opens."""
    plan = scenario.plan
    asl: dict[str, Any] = definition(scenario.name)
    return f"""{_title(scenario.name)}

{asl["Comment"]}

| | |
| --- | --- |
| State machine | `{machine_name(scenario.name)}` |
| Starts | {_starts(scenario)} |
| Changes | {_changes(scenario)} |
| Promise | {_promise(plan.objective)} |
| Stopped after | {in_words(asl["TimeoutSeconds"])} |
| In the audit trail | `{scenario.completed}`, or `{scenario.failed}` |

## Start it
{_BEFORE.get(scenario.name, "")}
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
{_steps(scenario.name)}

```mermaid
{scenario_picture(scenario.name)}
```

## When it fails

The execution ends red. What happened and what to do stand in its *Error* and *Cause*, in what `.venv/bin/python -m
lambdas.status` prints, and in the alert. Do that, then start it again: with the same input, unless that cure asks for
another. Nothing stays locked, and doing again what is done does no harm.
All errors: [errors.md](../errors.md).
{_AFTERWARDS.get(scenario.name, "")}"""


def _changes(scenario: Scenario) -> str:
    """What an execution has to itself."""
    if scenario.of_tenant:
        return f"`{TENANT}<id>`: one execution at a time for each tenant"
    return f"`{scenario.target}`: one execution at a time"


def error_list() -> str:
    """Every error, its sentence and its cure: by what it is of, as their modules stand, and then by its code."""
    parts = "\n".join(f"## {title}\n\n{_error_table(module)}\n" for module, title in _ERRORS_OF.items())
    return f"""<!-- Written by `make docs` from the errors in lambdas/domain. -->
# Errors

What `{{…}}` stands for is in the message itself. A transient error is tried again by the state machine. A scenario that
a cure names, such as `vault_backup`, is the state machine `mailark-vault-backup`.

{parts}"""


def _error_table(module: str) -> str:
    errors = [error for error in all_errors() if error.__module__ == f"lambdas.domain.{module}"]
    rows = "\n".join(
        f"| `{error.code}` | {error.sentence} | {_hints(error)} | {'yes' if error.transient else ''} |"
        for error in sorted(errors, key=lambda error: error.code)
    )
    return f"| Code | What happened | What to do | Transient |\n| --- | --- | --- | --- |\n{rows}"


def _hints(error: type[MailarkError]) -> str:
    """The hint, and those for the series of backups that have another."""
    others = "".join(f" For `{series}`: {hint}" for series, hint in error.hints.items())
    return _single(error.hint) + others


def _single(hint: str) -> str:
    """A hint with the braces that it shows, which `str.format` takes doubled."""
    return hint.replace("{{", "{").replace("}}", "}")


def documents() -> dict[Path, str]:
    """Every generated document, and every document with a generated part, as it should be."""
    found = {ROOT / "docs" / "errors.md": error_list(), ROOT / "docs" / "runbooks" / "README.md": index()}
    for child in child_names():
        found[ROOT / "docs" / "runbooks" / f"{child}.md"] = child_page(child)
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


def _starts(scenario: Scenario) -> str:
    by_person = "by a person, in the console"
    if follow := FOLLOWS.get(scenario.name):
        return f"by itself when {' or '.join(follow.scenarios)} was stopped or ran out of time, and {by_person}"
    if scenario.of_tenant:
        return f"by itself when an alarm on the logs goes off, and {by_person}"
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
    if get_origin(kind) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is list:
        return "list"
    words = {date: "date", datetime: "time", bool: "true or false"}
    kinds = [kind, *get_args(kind), *(inner for each in get_args(kind) for inner in get_args(each))]
    return next((word for each, word in words.items() if each in kinds), "text")


def _steps(machine: str, *, planned: bool = True) -> str:
    """The rows of a machine's steps: what each does, its time limit, and the time that the plan expects."""
    rows = []
    for name, state in states_of(machine).items():
        if state["Type"] == "Task" and name != "FailOperation":
            child = next((each for each in child_names() if _starts_child(state, each)), None)
            comment = f"{state['Comment']} [How]({child}.md)." if child else state["Comment"]
            limit = state["TimeoutSeconds"]
            cells = [name, comment, in_words(limit) if isinstance(limit, int) else "as the estate says"]
            if planned:
                cells.append(expected_in_words(SCENARIOS[machine].plan.steps.get(name)))
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> int:
    """The command; returns its exit code."""
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
