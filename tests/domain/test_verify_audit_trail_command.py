"""`python -m lambdas.verify_audit_trail`, as a stranger runs it: a copy, a public key, and nothing else."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.aws import ROOT
from lambdas.domain.audit import Event, encode_link
from lambdas.domain.audit_bucket import second_key
from tests.domain.trail import EVIDENCE, Key, a_trail, lay_out


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return lay_out(a_trail().files(), tmp_path / "copy")


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    file = tmp_path / "evidence.pem"
    file.write_text(EVIDENCE.pem)
    return file


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command with an empty environment: no home, no path, no credentials, no region."""
    command = [sys.executable, "-m", "lambdas.verify_audit_trail", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, timeout=60, check=False)


def test_a_sound_copy_is_said_to_be_sound(copy: Path, pem: Path) -> None:
    done = _run(copy, "--public-key", pem)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "SOUND: 2 chains with 9 events, 0 spooled events, and 3 documents of signed heads, the last of "
        "2026-11-22T04:05:00+00:00.\n"
        "What was appended after that time is in order too, and not signed yet.\n"
    )


def test_a_broken_copy_is_said_to_be_broken_with_a_line_for_each_finding(copy: Path, pem: Path) -> None:
    (copy / "events" / "platform%23vault" / "000000000004.json").unlink()
    event = copy / "events" / "tenant%231%2F%C3%A4" / "000000000002.json"
    event.write_text(event.read_text().replace('"jo"', '"me"'))
    done = _run(copy, "--public-key", pem)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "BROKEN: 2 findings in 2 chains with 8 events, 0 spooled events, and 3 documents of signed heads, the last of "
        "2026-11-22T04:05:00+00:00.",
        "",
        "platform#vault  event 4 is missing before event 5",
        "tenant#1/ä      event 2 was changed",
    ]


def test_a_program_reads_the_verdict_as_json(copy: Path, pem: Path) -> None:
    (copy / "events" / "platform%23vault" / "000000000006.json").unlink()
    done = _run(copy, "--public-key", pem, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "sound": False,
        "chains": 2,
        "events": 8,
        "spooled": 0,
        "documents": 3,
        "signed_until": "2026-11-22T04:05:00+00:00",
        "findings": [
            {"where": "platform#vault", "sequence": 6, "problem": "the chain ends at event 5, and event 6 was signed"}
        ],
    }


def test_documents_of_another_key_are_broken_and_not_believed(copy: Path, pem: Path) -> None:
    pem.write_text(Key().pem)
    done = _run(copy, "--public-key", pem)
    assert done.returncode == 1
    assert done.stdout.count("its signature does not match") == 3


@pytest.mark.parametrize("folder", ["heads", "events"])
def test_a_copy_that_lacks_a_part_cannot_be_judged(folder: str, copy: Path, pem: Path) -> None:
    (copy / folder).rename(copy / "elsewhere")
    done = _run(copy, "--public-key", pem)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{copy / folder} holds nothing" in done.stderr
    assert "Next: Copy the whole bucket" in done.stderr


@pytest.mark.parametrize("text", [None, "no key"])
def test_without_a_key_nothing_can_be_told(text: str | None, copy: Path, pem: Path) -> None:
    pem.unlink() if text is None else pem.write_text(text)
    done = _run(copy, "--public-key", pem)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"The public key {pem} cannot be read" in done.stderr


def test_a_file_that_is_no_event_and_a_folder_that_is_no_chain_are_found(copy: Path, pem: Path) -> None:
    (copy / "events" / "platform%23vault" / "notes.txt").write_text("x")
    (copy / "events" / "strange#folder").mkdir()
    (copy / "events" / "strange#folder" / "000000000001.json").write_text("{}")
    done = _run(copy, "--public-key", pem)
    assert done.returncode == 1
    for key in ("platform%23vault/notes.txt", "strange#folder/000000000001.json"):
        assert f"\nevents/{key} " in done.stdout
    assert done.stdout.count("it lies where no event belongs") == 2


def test_a_file_among_the_heads_that_is_no_document_is_found(copy: Path, pem: Path) -> None:
    (copy / "heads" / "notes.txt").write_text("x")
    done = _run(copy, "--public-key", pem)
    assert done.returncode == 1
    assert "\nheads/notes.txt  it cannot be read as a document of signed heads" in done.stdout


def _spool(copy: Path, event: Event, *, marked: bool) -> None:
    body = json.dumps({"scope": "platform#vault", "event": dataclasses.asdict(event)})
    files = {f"spool/{event.id}.json": body.encode()} | ({f"chained/{event.id}.json": b"{}"} if marked else {})
    lay_out(files, copy)


def test_a_spool_whose_events_are_in_their_chains_or_just_came_is_sound(copy: Path, pem: Path) -> None:
    chained = a_trail().chains["platform#vault"][3].event
    _spool(copy, chained, marked=True)
    _spool(copy, dataclasses.replace(chained, id="waits", timestamp="2026-11-22T04:00:00.000Z"), marked=False)
    done = _run(copy, "--public-key", pem)
    assert (done.returncode, done.stderr) == (0, "")
    assert "9 events, 2 spooled events, and 3 documents" in done.stdout


def test_whatever_was_done_to_the_spool_is_found(copy: Path, pem: Path) -> None:
    event = a_trail().chains["platform#vault"][3].event
    _spool(copy, dataclasses.replace(event, id="kept-out"), marked=True)
    _spool(copy, dataclasses.replace(event, id="old", timestamp="2026-11-22T01:00:00.000Z"), marked=False)
    lay_out({"spool/notes.txt": b"x", "chained/nothing.json": b"{}"}, copy)
    done = _run(copy, "--public-key", pem)
    assert done.returncode == 1
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[2:]] == [
        "spool/notes.txt it is no event that Mailark spooled",
        "chained/kept-out.json it marks an event as chained, and platform#vault has no such event",
        "spool/old.json it waits to be chained since 2026-11-22T01:00:00+00:00, and that is done every hour",
        "chained/nothing.json it marks an event as chained that was never spooled",
    ]


def test_a_second_event_that_was_archived_beside_the_first_is_found(copy: Path, pem: Path) -> None:
    trail = a_trail()
    trail.rewrite("platform#vault", 2)
    second = trail.chains["platform#vault"][1]
    (copy / second_key(second)).write_bytes(encode_link(second))
    done = _run(copy, "--public-key", pem)
    assert done.returncode == 1
    assert done.stdout.splitlines()[2:] == [
        f"{second_key(second)}  it lies where no event belongs; a second event for a place that is taken is archived "
        "so, beside the first"
    ]


def test_a_fault_that_was_signed_is_found_in_every_copy(tmp_path: Path, pem: Path) -> None:
    trail = a_trail()
    place = trail.sign(faults=["platform#vault: event 6 differs from its archived copy"])
    done = _run(lay_out(trail.files(), tmp_path / "another"), "--public-key", pem)
    assert done.returncode == 1
    told = "when it was signed, this was found: platform#vault: event 6 differs from its archived copy"
    assert done.stdout.splitlines()[2:] == [f"{place}  {told}"]


def test_it_needs_nothing_of_aws_to_run() -> None:
    code = "import sys, lambdas.verify_audit_trail; print([n for n in ('boto3', 'requests') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
