"""An emulator for tests: it closes what it gave away."""

from pathlib import Path
from typing import Any

from lab.aws import ROOT_KEY, Aws
from lab.certificates import CertificateAuthority
from lab.processes import free_port


class Emulator(Aws):
    """The embedded AWS, with some mends left out or with all of them. Its clients live as long as it does."""

    def __init__(self, folder: Path, authority: CertificateAuthority, left_out: str = "") -> None:
        self._clients: dict[tuple[Any, ...], Any] = {}
        super().__init__(folder, free_port(), authority, left_out)

    def client(self, service: str, region: str, key: tuple[str, str] = (ROOT_KEY, ROOT_KEY)) -> Any:
        known = (service, region, key)
        if known not in self._clients:
            self._clients[known] = super().client(service, region, key)
        return self._clients[known]

    def stop(self) -> None:
        for client in self._clients.values():
            client.close()
        super().stop()
