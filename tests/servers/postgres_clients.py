"""PostgreSQL's client programs where functions look for them, as their layer puts them there."""

import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from infra.code import Platform
from infra.postgres_client import client_folder


@contextmanager
def clients_on_path(majors: Iterable[str]) -> Iterator[str]:
    """Let functions of this process find the client programs of these major versions; gives the folder."""
    machine = platform.machine()
    here = Platform(".".join(platform.python_version_tuple()[:2]), {"aarch64": "arm64"}.get(machine, machine))
    folder = str(client_folder(here, majors) / "python")
    sys.path.append(folder)
    try:
        yield folder
    finally:
        sys.path.remove(folder)
