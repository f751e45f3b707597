"""`make demo`: a Vault with a thousand tenants is backed up, lost, and recovered, on real servers on this machine."""

import argparse
import signal
import sys
import time
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from lab.aws import ROOT, ROOT_KEY
from lab.lab import Lab
from lab.processes import LabError
from lab.tenants import Tenant, make_tenants
from lab.timeline_table import promises, timeline
from lab.watching import executions, follow, machine_arn, start, wait_for_new
from lambdas.domain.operation import machine_name

TENANTS = 1000
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
        with Lab.started(show.step) as lab:
            tenants = make_tenants(TENANTS)
            proved = _disaster(lab, tenants, show)
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


def _disaster(lab: Lab, tenants: list[Tenant], show: Show) -> bool:
    states = lab.client("stepfunctions")
    _store(lab, tenants, show)

    show.step("02:00 UTC comes: the schedule starts [bold]vault_backup[/bold]")
    known = executions(states, "vault_backup", lab.primary)
    lab.aws.let_schedule_come(lab.primary, machine_name("vault_backup"))
    backup = follow(states, wait_for_new(states, "vault_backup", lab.primary, known), show.state)
    if backup.status != "SUCCEEDED":
        raise LabError(f"The backup failed: {backup.cause}")
    show.step("[green]The backup is stored, proved intact, and copied to the other region[/green]")

    show.step("[red]Disaster: Vault is killed with SIGKILL, and its disk is deleted[/red]")
    lab.lose_vault()
    show.step("An empty Vault is started in its place; nobody types a key")
    lab.start_vault()
    show.step(f"It holds {TENANTS - len(lab.platform().wrong(tenants))} of {TENANTS} credentials")

    show.step("A person starts [bold]vault_restore[/bold] with a reason, and nothing else")
    arn = start(states, "vault_restore", lab.primary, {"reason": "demo: Vault and its disk are lost"})
    restored = follow(states, arn, show.state)
    if restored.status != "SUCCEEDED":
        raise LabError(f"The recovery failed: {restored.cause}")

    wrong = lab.platform().wrong(tenants)
    right = TENANTS - len(wrong)
    colour = "red" if wrong else "green"
    show.step(f"[{colour}]{right} of {TENANTS} credentials are back, and each decrypts to its password[/{colour}]")
    show.console.print()
    show.console.print(timeline("The backup", backup.output))
    show.console.print(timeline("The recovery", restored.output))
    show.console.print(promises(restored.output))
    return not wrong


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
