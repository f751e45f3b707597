"""Real PostgreSQL servers for the tests: one a major version that all share, and others that a test may harm."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.certificates import CertificateAuthority
from lab.postgres import SUPERUSER, PostgresServer


@dataclass
class PostgresServers:
    """Starts servers in one folder, and stops all of them at the end."""

    folder: Path
    authority: CertificateAuthority = field(init=False)
    _shared: dict[str, PostgresServer] = field(default_factory=dict)
    _started: list[PostgresServer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authority = CertificateAuthority(self.folder)

    def shared(self, major: str = "17") -> PostgresServer:
        """The running server of a major version that all tests share: make databases in it, and harm it not."""
        if major not in self._shared:
            self._shared[major] = self.start(major)
        return self._shared[major]

    def start(
        self, major: str = "17", settings: Mapping[str, str] | None = None, checksums: bool = True
    ) -> PostgresServer:
        """A running server of one's own, with more settings in its configuration."""
        name = f"postgres-{major}-{len(self._started)}"
        server = PostgresServer(name, self.folder, self.authority, major, settings, checksums)
        self._started.append(server)
        server.start()
        server.wait_until_ready()
        return server

    def stop(self) -> None:
        for server in self._started:
            server.kill()


def fresh_database(server: PostgresServer, name: str, owner: str = SUPERUSER) -> str:
    """Make an empty database of this name, whatever was there before; gives the name."""
    server.drop_database(name)
    server.create_database(name, owner)
    return name
