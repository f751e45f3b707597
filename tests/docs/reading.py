"""What the documents say: their commands, their links."""

import re
from pathlib import Path

from lab.aws import ROOT

_SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(#[^)]*)?\)")


def documents() -> list[Path]:
    """Every document of the project."""
    return [ROOT / "README.md", ROOT / "lab" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> list[str]:
    """Every command that a document tells its reader to run, continued lines joined, comments left out."""
    found: list[str] = []
    for document in documents():
        for block in _SHELL.findall(document.read_text()):
            joined = re.sub(r"\s*\\\n\s*", " ", block)
            found += [re.sub(r"\s{2,}#.*$", "", line).strip() for line in joined.splitlines() if line.strip()]
    return found


def broken_links(document: Path) -> list[str]:
    """Links to files that are not there."""
    targets = [match[0] for match in _LINK.findall(document.read_text())]
    return [target for target in targets if not (document.parent / target).exists()]
