"""The third disaster of the demo: a credential leaks, the mail server's log shows it, and nobody starts anything."""

import time
from collections.abc import Callable

from lab.intruder import NETWORKS, Intruder
from lab.lab import Lab
from lab.processes import LabError
from lab.tenants import make_tenants
from lab.watching import Finished, executions, follow, wait_for_new

_SCENARIO = "credential_compromise"
_CONTACT = "owner@elsewhere.example"
_MORE_NETWORKS = ("198.18.1.7", "198.18.2.7", "198.18.3.7")
"""With the others more than the estate takes for one person's in an hour."""

Tell = Callable[[str], None]


class Leaked:
    """What became of it: the response, what still lets the intruder in, and how the tenant's own program fared."""

    def __init__(self, response: Finished, seconds: float, still_works: list[str], logins: int, failed: int) -> None:
        self.response, self.seconds, self.still_works = response, seconds, still_works
        self.logins, self.failed = logins, failed

    @property
    def is_dead(self) -> bool:
        """Whether nothing that was leaked lets anybody in any more. A connection that is open is a person's to cut."""
        return not [each for each in self.still_works if each != "the open connection"]


def leak(lab: Lab, number: int, step: Tell, state: Tell) -> Leaked:
    """Let the password of one more tenant leak, whose domain has this number. Raises `LabError`."""
    made = make_tenants(1, seed=number, first=number)
    (tenant,) = lab.platform().store(lab.mail.take_in(made, contacts={made[0].id: [_CONTACT]}))
    states = lab.client("stepfunctions")
    known = executions(states, _SCENARIO, lab.primary)
    with (
        Intruder.at_work(lab.mail, tenant.email, tenant.password) as intruder,
        lab.mail_client(tenant).running() as client,
    ):
        step(f"A program of {tenant.email} logs in ten times a second, with what Vault says")
        step(f"[red]Disaster: its password has leaked; somebody logs in from {_networks()} networks and digs in[/red]")
        began = time.monotonic()
        intruder.dig_in("eve@elsewhere.example")
        for address in _MORE_NETWORKS:
            intruder.logs_in(address)
        step(f"What lets the intruder in now: {', '.join(intruder.still_works())}")
        step("The mail server's log shows it, an alarm goes off; nobody starts anything")
        response = follow(states, wait_for_new(states, _SCENARIO, lab.primary, known), state)
        seconds = time.monotonic() - began
        if response.status != "SUCCEEDED":
            raise LabError(f"The response failed: {response.cause}")
        return Leaked(response, seconds, intruder.still_works(), client.logins, len(client.failures))


def notices(lab: Lab) -> list[str]:
    """Who was told, and with which subject."""
    return [f"{', '.join(each['To'])}: {each['Subject']}" for each in lab.aws.mails()]


def _networks() -> int:
    return len(NETWORKS) + len(_MORE_NETWORKS)
