"""A real supervisord behind TLS: the programs that it runs, and the login of its API."""

import contextlib
import hashlib
import secrets
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.certificates import CertificateAuthority
from lab.processes import LOOPBACK, Server, free_port
from lab.tls_front import tls_front

_SUPERVISORD = str(Path(sys.executable).parent / "supervisord")


@dataclass(frozen=True)
class Program:
    """A command, and settings of supervisord's `[program:x]` that differ from its own."""

    command: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """One supervisord; `address` speaks TLS with a certificate of the authority while it is started."""

    username = "mailark"

    def __init__(
        self,
        folder: Path,
        authority: CertificateAuthority,
        programs: Mapping[str, Program],
        environment: Mapping[str, str],
    ) -> None:
        """`environment` is that of every program; passwords in it stand in no file and no command line."""
        self.password = secrets.token_urlsafe(24)
        self.address = ""
        self._folder, self._programs, self._environment = folder, programs, dict(environment)
        self._certificate = authority.issue("supervisord")
        self._port = free_port()

    @contextlib.contextmanager
    def started(self) -> Iterator["Supervisor"]:
        """Run it until the block ends. Raises `LabError` with the end of its log when it does not start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "supervisord.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self._configuration())
        command = [_SUPERVISORD, "--nodaemon", f"--configuration={configuration}"]
        log = self._folder / "supervisord.log"
        server = Server("supervisord", command, self._environment, self._folder, log)
        try:
            server.wait_until(self._listens, 30)
            with tls_front(self._certificate, self._port) as port:
                self.address = f"https://{LOOPBACK}:{port}"
                yield self
        finally:
            server.kill()  # its programs end with it; asked politely, it would take a second for each

    def log_of(self, name: str) -> str:
        """What a program has printed."""
        file = self._folder / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self._port), timeout=1):
            return True
        return False

    def _configuration(self) -> str:
        digest = hashlib.sha1(self.password.encode(), usedforsecurity=False).hexdigest()  # the only one that it takes
        parts = [
            f"[supervisord]\nlogfile={self._folder}/main.log\npidfile={self._folder}/supervisord.pid\n"
            f"childlogdir={self._folder}",
            f"[inet_http_server]\nport={LOOPBACK}:{self._port}\nusername={self.username}\npassword={{SHA}}{digest}",
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        ]
        parts += [self._section(name, program) for name, program in self._programs.items()]
        return "\n\n".join(parts) + "\n"

    def _section(self, name: str, program: Program) -> str:
        # Whatever kills supervisord at once takes its programs along.
        command = shlex.join(["setpriv", "--pdeathsig", "KILL", "--", *program.command]).replace("%", "%%")
        settings = {
            "directory": str(self._folder),
            "redirect_stderr": "true",
            "stdout_logfile": str(self._folder / f"{name}.log"),
            "stopwaitsecs": "5",
            **program.settings,
        }
        lines = [f"[program:{name}]", f"command={command}", *(f"{key}={value}" for key, value in settings.items())]
        return "\n".join(lines)
