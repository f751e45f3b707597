"""A host that SSM reaches: it runs what it is sent, with a stand-in for Docker that keeps its state in a file."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_DOCKER = """#!/bin/sh
# Docker as the script uses it: a container a line in `containers` (id, service, state).
here={folder}
case "$1 $4" in
"compose config") cut -d' ' -f2 "$here/containers" | sort -u; exit 0 ;;
"compose ps") awk -v name="$7" '$2 == name {{ print $1 }}' "$here/containers"; exit 0 ;;
"compose stop") to=exited ;;
"compose start") to=running ;;
inspect*) awk -v id="$4" '$1 == id {{ print $3 }}' "$here/containers"; exit 0 ;;
esac
test "$2 $3" = '-f docker-compose.prod.yml' && test -f docker-compose.prod.yml || exit 14
echo "$4 $5" >> "$here/deeds"
if grep -qxF "$4 $5" "$here/stubborn"; then echo "cannot $4 $5" >&2; exit 1; fi
awk -v name="$5" -v to="$to" '$2 == name {{ $3 = to }} {{ print }}' "$here/containers" > "$here/next"
mv "$here/next" "$here/containers"
echo "Container $5 $to"
"""


@dataclass
class ComposeHost:
    """`answer` is what SSM knows of a command that was sent; `sent` are the parameters of each."""

    folder: Path
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def directory(self) -> str:
        """Where the Compose file is."""
        return str(self.folder / "smtpy")

    def set_up(self, containers: Mapping[str, str], stubborn: str = "") -> None:
        """`containers` are their ids with service and state; `stubborn` are the deeds that fail, such as `stop api`."""
        (self.folder / "smtpy").mkdir()
        (self.folder / "smtpy" / "docker-compose.prod.yml").touch()
        lines = [f"{container} {rest}\n" for container, rest in containers.items()]
        (self.folder / "containers").write_text("".join(lines))
        (self.folder / "stubborn").write_text(stubborn)
        (self.folder / "deeds").touch()
        docker = self.folder / "docker"
        docker.write_text(_DOCKER.format(folder=self.folder))
        docker.chmod(0o755)

    @property
    def deeds(self) -> list[str]:
        """What Compose was told to do, in order."""
        return (self.folder / "deeds").read_text().splitlines()

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a SendCommand as the agent does (AWS-RunShellScript, by sh); gives GetCommandInvocation's answer."""
        self.sent.append(dict(request))
        script = "\n".join(request["Parameters"]["commands"])
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True, timeout=30)
        return {
            "Status": "Failed" if done.returncode else "Success",
            "StatusDetails": "Failed" if done.returncode else "Success",
            "ResponseCode": done.returncode,
            "StandardOutputContent": done.stdout[:24_000],
            "StandardErrorContent": done.stderr[:8_000],
        }
