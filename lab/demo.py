"""`make demo`: the night and the morning after, on real servers on this machine.

A Vault with the credentials of a thousand tenants and a database full of mail are backed up by their schedules. Then
Vault loses its disk, and pages of the database are overwritten; both come back, proved. At last a tenant's password
leaks: by the time that a person looks it is dead, proved, and told.
"""

import argparse
import signal
import sys
import time
from types import FrameType

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from lab.aws import ROOT, ROOT_KEY
from lab.damage import damage_pages
from lab.demo_leak import Leaked, leak, notices
from lab.forwarding_service import DATABASE
from lab.lab import Lab
from lab.processes import LabError
from lab.tenants import Tenant, make_tenants
from lab.timeline_table import promises, timeline
from lab.watching import Finished, executions, follow, machine_arn, start, wait_for_new
from lambdas.domain.operation import machine_name

TENANTS = 1000
MEGABYTES = 200.0
"""Of mail in the forwarding service's database."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Show:
    """What the person at the terminal sees."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {text}")

    def state(self, name: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._began:6.1f} s      → {name}[/dim]")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code: 0 recovered and proved, 1 not, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the lab up until Ctrl-C")
    given = parser.parse_args(arguments)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    show = Show()
    try:
        with Lab.started(show.step, MEGABYTES) as lab:
            tenants = make_tenants(TENANTS)
            proved = _night_and_morning(lab, tenants, show)
            show.step("[green]All came back, proved[/green]" if proved else "[red]Not all came back[/red]")
            if given.keep:
                _keep(lab, tenants[0], show)
            show.step("Stopping everything")
    except KeyboardInterrupt:
        show.console.print("\nInterrupted; everything that was started has been stopped.")
        return 130
    except LabError as error:
        show.console.print(Text(f"\n{error}", style="red"))  # no markup: it may hold the brackets of a foreign log
        return 1
    return 0 if proved else 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not stop the stopping
    print("\nStopping everything; this takes a few seconds.", flush=True)
    raise KeyboardInterrupt


def _night_and_morning(lab: Lab, tenants: list[Tenant], show: Show) -> bool:
    _store(lab, tenants, show)
    held = _messages(lab)
    show.step(f"The forwarding service's database holds {held:,} messages")
    backups = [_night(lab, "02:00", "vault_backup", show), _night(lab, "03:00", "database_backup", show)]

    show.step("[red]Disaster: Vault is killed with SIGKILL, and its disk is deleted[/red]")
    lab.lose_vault()
    show.step("[red]Disaster: a disk overwrites pages of the database, in the table of messages[/red]")
    damage_pages(lab.database.server)
    show.step(f"PostgreSQL says: {_problem(lab)}")

    show.step("An empty Vault is started in its place; nobody types a key")
    lab.start_vault()
    show.step(f"It holds {TENANTS - len(lab.platform().wrong(tenants))} of {TENANTS} credentials")
    vault = _recover(lab, "vault_restore", "demo: Vault and its disk are lost", show)
    wrong = lab.platform().wrong(tenants)
    _verdict(
        show, f"{TENANTS - len(wrong)} of {TENANTS} credentials are back, and each decrypts to its password", wrong
    )

    database = _recover(lab, "database_corruption", "demo: the database reports invalid pages", show)
    lost = held - _messages(lab)
    _verdict(show, f"{held - lost:,} of {held:,} messages are back, row by row and byte by byte", lost)
    show.step(f"The damaged database is kept as {database.output['details']['kept_as']}; the services run again")
    leaked = _leak(lab, show)

    show.console.print()
    for title, run in (("The backup of Vault", backups[0]), ("The backup of the database", backups[1])):
        show.console.print(timeline(title, run.output))
    recovered = {"The recovery of Vault": vault, "The recovery of the database": database}
    for title, run in (recovered | {"The response to the leak": leaked.response}).items():
        show.console.print(timeline(title, run.output))
        show.console.print(promises(run.output))
    return not wrong and not lost and leaked.is_dead and not leaked.failed


def _leak(lab: Lab, show: Show) -> Leaked:
    """The third disaster, and what a person finds who looks in the morning."""
    leaked = leak(lab, TENANTS, show.step, show.state)
    _verdict(
        show,
        f"{leaked.seconds:.0f} s after the first line in the log, the leaked password and the app token open nothing",
        not leaked.is_dead,
    )
    show.step(f"Left for a person, as the alert says: {', '.join(leaked.still_works) or 'nothing'}")
    _verdict(show, f"Of {leaked.logins} logins of the tenant's own program {leaked.failed} failed", leaked.failed)
    for notice in notices(lab):
        show.step(f"Told: {notice}")
    return leaked


def _night(lab: Lab, hour: str, scenario: str, show: Show) -> Finished:
    """Let the time of a nightly backup come; its schedule's own target starts it."""
    show.step(f"{hour} UTC comes: the schedule starts [bold]{scenario}[/bold]")
    states = lab.client("stepfunctions")
    known = executions(states, scenario, lab.primary)
    lab.aws.let_schedule_come(lab.primary, machine_name(scenario))
    backup = follow(states, wait_for_new(states, scenario, lab.primary, known), show.state)
    if backup.status != "SUCCEEDED":
        raise LabError(f"The backup failed: {backup.cause}")
    show.step("[green]The backup is stored, proved intact, and copied to the other region[/green]")
    return backup


def _recover(lab: Lab, scenario: str, reason: str, show: Show) -> Finished:
    show.step(f"A person starts [bold]{scenario}[/bold] with a reason, and nothing else")
    states = lab.client("stepfunctions")
    recovered = follow(states, start(states, scenario, lab.primary, {"reason": reason}), show.state)
    if recovered.status != "SUCCEEDED":
        raise LabError(f"The recovery failed: {recovered.cause}")
    return recovered


def _verdict(show: Show, text: str, wrong: object) -> None:
    colour = "red" if wrong else "green"
    show.step(f"[{colour}]{text}[/{colour}]")


def _messages(lab: Lab) -> int:
    """How many messages there are, each read to its end."""
    return int(lab.database.server.query("select count(octet_length(m::text)) from messages m", DATABASE)[0][0])


def _problem(lab: Lab) -> str:
    try:
        return f"{_messages(lab):,} messages"
    except psycopg.Error as error:
        return str(error).partition("\n")[0]


def _store(lab: Lab, tenants: list[Tenant], show: Show) -> None:
    columns = (
        TextColumn("          {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    show.step(f"Storing the SMTP credentials of {TENANTS} tenants, as the platform does")
    with Progress(*columns, console=show.console, transient=True) as progress:
        for _ in progress.track(lab.platform().store(tenants), total=len(tenants), description="tenants"):
            pass


def _keep(lab: Lab, tenant: Tenant, show: Show) -> None:
    environment = lab.aws.environment() | {
        "AWS_REGION": lab.primary,
        "AWS_DEFAULT_REGION": lab.primary,
        "BAO_ADDR": lab.vault.address,
        "BAO_CACERT": str(lab.authority.file),
        "BAO_TOKEN": lab.vault_client().token,
        "PLATFORM_PASSWORD": lab.platform_password,
        "PATH": f"{ROOT / '.venv-emulator' / 'bin'}:{ROOT / '.venv' / 'bin'}:$PATH",
    }
    file = lab.folder / "lab.env"
    file.write_text("".join(f'export {name}="{value}"\n' for name, value in environment.items()))
    file.chmod(0o600)
    show.console.print(
        f"""
[bold]The lab stays up until Ctrl-C.[/bold] In another terminal:

  . {file}

  AWS         {lab.aws.endpoint} (access key {ROOT_KEY}), regions {lab.primary} and {lab.standby}
  Vault       {lab.vault.address}
  Recovery    aws stepfunctions start-execution --state-machine-arn {machine_arn("vault_restore", lab.primary)} \\
                --input '{{"reason": "trying it out"}}'
  Look on     aws stepfunctions list-executions --state-machine-arn {machine_arn("vault_restore", lab.primary)}
  A secret    bao kv get smtp/{tenant.path}
  Destroy it  bao kv metadata delete smtp/{tenant.path}
  Log in      export BAO_TOKEN=$(bao login -method=userpass -token-only username=platform password="$PLATFORM_PASSWORD")
              (after a recovery: it ends every token that Vault has issued since the backup)
""",
        soft_wrap=True,
    )
    while True:
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
