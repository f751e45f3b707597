"""What the documents say: their commands, their links."""

import re
from itertools import chain, count
from pathlib import Path

from lab.aws import ROOT

_SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


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
    """Links to files that are not there, and to sections that they do not have."""
    return [
        f"{target}#{anchor}"
        for target, anchor in _LINK.findall(_BLOCK.sub("", document.read_text()))
        if not _leads_somewhere(document.parent / target if target else document, anchor)
    ]


def _leads_somewhere(target: Path, anchor: str) -> bool:
    return target.exists() and (not anchor or anchor in anchors(target.read_text()))


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them: one that comes again gets a number."""
    found: set[str] = set()
    for heading in _HEADING.findall(_BLOCK.sub("", text)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        own = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.add(next(each for each in chain([own], (f"{own}-{number}" for number in count(1))) if each not in found))
    return found
