"""supervisord's XML-RPC API (supervisord.org/api.html): services as programs that it runs.

supervisord itself speaks plain HTTP; it stands behind a proxy that adds TLS, and nothing else is accepted here.
A program of several processes (`numprocs`) and a `[group:…]` are one service, by their group's name.
"""

import http.client
import ssl
import time
import xmlrpc.client
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.service_errors import (
    ServiceControlRefused,
    ServiceControlUnreachable,
    ServicesNotStarted,
    ServicesNotStopped,
    ServiceUnknown,
)
from lambdas.domain.service_states import (
    FAILED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    UNKNOWN,
    is_down,
    is_up,
    together,
)

STOP_SECONDS = 120.0
START_SECONDS = 300.0
"""service-recovery-plan.md, scenario 1: two minutes to stop the services, five to start them."""

_CALL_SECONDS = 10.0
_PAUSE_SECONDS = 0.25
_REST_SECONDS = 3
"""supervisord starts an exited program again within a second or two (its main loop's tick); after that it stays."""

_LONGEST_PROBLEM = 200

_STATES = {
    "STOPPED": STOPPED,
    "STARTING": STARTING,
    "RUNNING": RUNNING,
    "BACKOFF": STARTING,
    "STOPPING": STOPPING,
    "FATAL": FAILED,
}

# supervisor.xmlrpc.Faults
_UNKNOWN_METHOD, _SHUTDOWN, _BAD_NAME, _NO_FILE, _NOT_EXECUTABLE = 1, 6, 10, 20, 21
_LEFT_TO_THE_STATE = {30, 40, 50, 60, 70}
"""FAILED, ABNORMAL_TERMINATION, SPAWN_ERROR, ALREADY_STARTED, NOT_RUNNING: the state read next tells what is true."""


@dataclass(frozen=True)
class _Process:
    """One process: its name as `group:name`, its state, and what supervisord says of its last end."""

    name: str
    state: str
    problem: str


class Supervisord:
    """One supervisord. `stop_seconds` and `start_seconds` are the limits of a whole call."""

    def __init__(
        self,
        address: str,
        username: str,
        password: str,
        ca: str = "",
        stop_seconds: float = STOP_SECONDS,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """`address` is `https://host:port`, `ca` PEM (empty: the public ones). Raises `ServiceControlRefused`."""
        self._control = f"supervisord at {address}"
        self._stop_seconds, self._start_seconds = stop_seconds, start_seconds
        if urlsplit(address).scheme != "https":
            raise self._refused("the login", "its address is not https://, and the password would be readable")
        credentials = b64encode(f"{username}:{password}".encode()).decode()
        tls = ssl.create_default_context(cadata=ca or None)
        self._transport = _Transport(credentials, tls)
        self._server = xmlrpc.client.ServerProxy(f"{address}/RPC2", transport=self._transport)

    def states(self, names: Sequence[str]) -> dict[str, str]:
        """As `ServiceControl.states`."""
        return {name: together(p.state for p in processes) for name, processes in self._processes(names).items()}

    def stop(self, names: Sequence[str]) -> None:
        """As `ServiceControl.stop`. What ignores its signal is killed by supervisord itself after `stopwaitsecs`."""
        deadline = time.monotonic() + self._stop_seconds
        self.states(names)  # a wrong name is told before anything stops
        for name in names:
            while left := [process for process in self._processes([name])[name] if not is_down(process.state)]:
                if time.monotonic() >= deadline:
                    raise self._not_stopped(names)
                for process in left:
                    self._call("stopProcess", process.name, False)
                time.sleep(_PAUSE_SECONDS)
        if not all(map(is_down, self.states(names).values())):
            raise self._not_stopped(names)

    def start(self, names: Sequence[str]) -> None:
        """As `ServiceControl.start`. supervisord tries as often as `startretries` says; here each is asked for once."""
        deadline = time.monotonic() + self._start_seconds
        self.states(names)
        for name in names:
            asked: set[str] = set()
            while left := [process for process in self._processes([name])[name] if not is_up(process.state)]:
                down = {process.name for process in left if is_down(process.state)}
                if down & asked or time.monotonic() >= deadline:
                    raise self._not_started(names)
                for process in sorted(down):
                    self._call("startProcess", process, False)
                asked |= down
                time.sleep(_PAUSE_SECONDS)
        if not all(map(is_up, self.states(names).values())):
            raise self._not_started(names)

    def _processes(self, names: Sequence[str]) -> dict[str, list[_Process]]:
        """The processes of each service. Raises `ServiceUnknown`."""
        listed = self._call("getAllProcessInfo")
        found: dict[str, list[_Process]] = {}
        for name in names:
            of_group = [info for info in listed if info["group"] == name]
            infos = of_group or [info for info in listed if info["name"] == name]
            if not infos:
                known = ", ".join(sorted({str(info["group"]) for info in listed})) or "none"
                raise ServiceUnknown(control=self._control, name=name, known=known)
            found[name] = [_process(info) for info in infos]
        return found

    def _not_stopped(self, names: Sequence[str]) -> ServicesNotStopped:
        left = [f"{name} ({state})" for name, state in self.states(names).items() if not is_down(state)]
        services = ", ".join(left) or "one of them ran for a moment"
        return ServicesNotStopped(services=f"{services}, given {self._stop_seconds:g} s")

    def _not_started(self, names: Sequence[str]) -> ServicesNotStarted:
        left = []
        for name, processes in self._processes(names).items():
            if not is_up(state := together(process.state for process in processes)):
                problems = sorted({process.problem for process in processes if process.problem})
                left.append(f"{name} ({': '.join([state, *problems])})")
        services = ", ".join(left) or "one of them was away for a moment"
        return ServicesNotStarted(services=f"{services}, given {self._start_seconds:g} s")

    def _call(self, method: str, *arguments: object) -> Any:
        """One call of the API; nothing that the next reading of the states tells better is raised."""
        request = " ".join([method, *(each for each in arguments if isinstance(each, str))])
        try:
            return getattr(self._server, f"supervisor.{method}")(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in _LEFT_TO_THE_STATE:
                return None
            raise self._of_fault(fault, request) from None
        except xmlrpc.client.ProtocolError as error:
            raise self._of_status(error.errcode, request) from None
        except (OSError, http.client.HTTPException) as error:
            raise ServiceControlUnreachable(control=self._control, problem=_reason(error)) from None
        except (ExpatError, xmlrpc.client.Error, ValueError, TypeError, KeyError):
            raise self._refused(request, "what answers is not supervisord") from None
        finally:
            self._transport.close()

    def _of_fault(self, fault: xmlrpc.client.Fault, request: str) -> MailarkError:
        if fault.faultCode == _SHUTDOWN:
            return ServiceControlUnreachable(control=self._control, problem="it is shutting down")
        if fault.faultCode in (_NO_FILE, _NOT_EXECUTABLE):
            service = request.partition(" ")[2].partition(":")[0]
            return ServicesNotStarted(services=f"{service} ({fault.faultString[:_LONGEST_PROBLEM]})")
        if fault.faultCode in (_UNKNOWN_METHOD, _BAD_NAME):
            return self._refused(request, "it no longer knows that")
        return self._refused(request, f"fault {fault.faultCode}")

    def _of_status(self, status: int, request: str) -> MailarkError:
        if status >= 500:
            return ServiceControlUnreachable(control=self._control, problem=f"it answered {status}")
        login = "the user name or the password is wrong" if status in (401, 403) else f"it answered {status}"
        return self._refused(request, login)

    def _refused(self, request: str, problem: str) -> ServiceControlRefused:
        return ServiceControlRefused(control=self._control, request=request, problem=problem)


class _Transport(xmlrpc.client.SafeTransport):
    """HTTPS with a time limit; the login stands in a header, and so in no URL that an error could show."""

    accept_gzip_encoding = False  # small answers, and none that swells

    def __init__(self, credentials: str, tls: ssl.SSLContext) -> None:
        super().__init__(headers=[("Authorization", f"Basic {credentials}")], context=tls)

    def make_connection(self, host: Any) -> http.client.HTTPSConnection:
        """The connection of the parent class, which would wait for ever."""
        connection = super().make_connection(host)
        connection.timeout = _CALL_SECONDS
        return connection


def _process(info: dict[str, Any]) -> _Process:
    state = _STATES.get(str(info["statename"]), UNKNOWN)
    if info["statename"] == "EXITED":
        state = STOPPED if info["now"] - info["stop"] >= _REST_SECONDS else STARTING
    problem = str(info["spawnerr"] or (info["description"] if info["statename"] in ("BACKOFF", "FATAL") else ""))
    return _Process(f"{info['group']}:{info['name']}", state, problem[:_LONGEST_PROBLEM])


def _reason(error: Exception) -> str:
    """Why a request failed, without its URL's details."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not signed by the CA in the estate, or for another name"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS"
    if isinstance(error, TimeoutError):
        return "answering took too long"
    return "no connection" if isinstance(error, OSError) else "the connection was cut"
