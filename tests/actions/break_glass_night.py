"""What somebody has at night, who has to open a backup without AWS, and what the command says to them."""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.aws import ROOT
from lambdas.break_glass import main
from tests.actions.house import Keys, SavedBackup

WITH_BAO = f"{ROOT / '.venv' / 'bin'}:{os.defpath}"


@dataclass(frozen=True)
class Said:
    """How the command ended, and what it said on both outputs."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Night:
    """A folder with what somebody has at night: the object, its manifest, and two keys. No AWS, no network."""

    folder: Path
    id: str
    capture: pytest.CaptureFixture[str]

    @property
    def object(self) -> Path:
        return self.folder / f"{self.id}.enc"

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.id}.manifest.json"

    def change_manifest(self, **fields: Any) -> None:
        self.manifest.write_text(json.dumps(json.loads(self.manifest.read_text()) | fields))

    def run(self, command: str, *arguments: str) -> Said:
        self.capture.readouterr()
        code = main([command, self.object.name, *arguments])
        return Said(code, *self.capture.readouterr())

    def open(self, *arguments: str) -> Said:
        return self.run("open", "--key", "offline-key.pem", *arguments)

    def refusal(self, command: str, *arguments: str) -> str:
        """What it says when it is to refuse: two lines, and nothing on the other output."""
        said = self.run(command, *arguments)
        assert said.code == 1
        assert said.out == ""
        lines = [line for line in said.err.splitlines() if not line.startswith("Signature: ")]
        assert len(lines) == 2, said.err
        assert lines[1].startswith("Next: ")
        return "\n".join(lines)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def make_night(folder: Path, saved: SavedBackup, keys: Keys, capture: pytest.CaptureFixture[str]) -> Night:
    """The folder of a night, with a backup in it."""
    night = Night(folder, saved.id, capture)
    night.object.write_bytes(saved.content)
    night.manifest.write_bytes(saved.manifest)
    (folder / "offline-key.pem").write_text(keys.offline_private)
    return night


def keys_in(content: bytes, keys: Sequence[bytes]) -> bool:
    """Whether one of the keys is there, in any form."""
    forms = [form for key in keys for form in (key, key.hex().encode(), base64.b64encode(key))]
    return any(form in content for form in forms)


def never(*_: object, **__: object) -> None:
    """In place of what must not be called."""
    raise AssertionError("it calls AWS, or the network")
