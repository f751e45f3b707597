"""What is made of the measurements of a database: times as many as theirs, and memory that must not grow."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.database import Passed, _children_of, label, memory, speed
from benchmarks.database_stream import peak_of
from benchmarks.figures import Figure
from lab.actions import peak_bytes

WAYS = {
    "gzip": [Passed(32, 0, 0), Passed(30, 0, 0), Passed(99, 0, 0)],
    "null": [Passed(3, 0, 0), Passed(3, 0, 0), Passed(99, 0, 0)],
    "dump-alone": [Passed(4, 140_000_000, 10_000_000), Passed(4, 150_000_000, 10_000_000), Passed(99, 0, 0)],
    "dump": [Passed(6, 150_000_000, 10_000_000), Passed(6, 160_000_000, 10_000_000), Passed(99, 0, 0)],
    "proof": [Passed(1.5, 0, 0)] * 3,
    "proof-alone": [Passed(1.75, 0, 0)] * 3,
    "psql": [Passed(10, 0, 0)] * 3,
    "restore": [Passed(12, 120_000_000, 12_000_000), Passed(12, 110_000_000, 12_000_000), Passed(99, 0, 0)],
}
MORE = {way: [Passed(3 * rounds[0].seconds, 180_000_000, 200_000_000)] for way, rounds in WAYS.items()}


def by_name(figures: Iterator[Figure]) -> dict[str, tuple[float, bool | None]]:
    return {each.name: (each.value, each.met) for each in figures}


def test_each_way_is_held_to_its_goal_by_the_medians_of_the_rounds() -> None:
    assert by_name(speed("1 GB", WAYS)) == {
        "Dump of 1 GB, sealed and stored": (0.125, True),
        "Dump of 1 GB, sealed and stored: against `pg_dump`": (1.33, True),
        "Dump of 1 GB, the same with its proof": (0.188, False),
        "Dump of 1 GB, the same with its proof: against `pg_dump`": (2.0, False),
        "Proof of 1 GB: counts and checksums": (0.5, True),
        "Restore of 1 GB: read, opened, verified, loaded": (1.2, False),
    }


def test_what_one_process_of_the_server_takes_for_the_proof_is_said_too() -> None:
    (proof,) = (each for each in speed("1 GB", WAYS) if each.name.startswith("Proof"))
    assert "by one process of the server: 1.75 s" in proof.against


def test_the_most_memory_of_any_round_counts_and_that_of_the_programs_beside_it() -> None:
    assert by_name(memory("1 GB", WAYS, "3 GB", MORE)) == {
        "Peak of memory of a dump, 3 GB": (pytest.approx(1.12, abs=0.01), False),
        "Peak of memory of a dump, with pg_dump": (380, False),
        "Peak of memory of a restore, 3 GB": (1.5, False),
        "Peak of memory of a restore, with psql": (380, False),
    }


def test_a_size_is_said_as_people_say_it() -> None:
    assert [label(megabytes) for megabytes in (30, 1000, 1500, 3000)] == ["30 MB", "1 GB", "1.5 GB", "3 GB"]


def test_the_memory_of_children_is_measured_while_they_live() -> None:
    hold = "import sys; held = bytearray(200_000_000); print(); sys.stdin.read()"
    command = f"import subprocess; subprocess.run(['{sys.executable}', '-c', '{hold}'])"
    with subprocess.Popen(
        [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert _children_of(process.pid) >= 200_000_000
        assert 0 < peak_of(process.pid) < 200_000_000
        process.communicate("", timeout=30)
    assert _children_of(process.pid) == peak_of(process.pid) == 0


def test_a_process_knows_its_own_peak() -> None:
    assert peak_of("self") == peak_bytes() > 10_000_000
