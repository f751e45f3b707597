"""What an assessment comes to, and that it stays small and holds nothing private."""

import json
from dataclasses import asdict

import pytest

from lambdas.domain.damage import (
    MOST_FINDINGS,
    Check,
    Finding,
    Status,
    assess,
    finding_of,
    is_notable,
    logged,
    unreadable_tables,
)

SOUND = [Finding("tables", "sound", f"public.t{number}", "") for number in range(12)]


def finding(status: Status, check: Check = "tables", relation: str | None = "public.users") -> Finding:
    return Finding(check, status, relation, "a problem")


def test_a_database_of_which_every_part_was_read_is_sound() -> None:
    assessment = assess([*SOUND, finding("skipped"), finding("noted")])
    assert assessment.verdict == "sound"
    assert assessment.findings[-1] == Finding("tables", "sound", None, "12 found sound")
    assert assessment.counts == {"noted": 1, "skipped": 1, "sound": 12}


def test_what_was_not_read_is_never_sound() -> None:
    assert assess([*SOUND, finding("not assessed")]).verdict == "not assessed"


def test_damage_decides_whatever_else_was_not_read() -> None:
    assert assess([finding("not assessed"), finding("damaged"), *SOUND]).verdict == "damaged"


def test_a_database_that_cannot_be_connected_to_is_unreachable() -> None:
    assert assess([finding("damaged", "connection", None)], reached=False).verdict == "unreachable"


@pytest.mark.parametrize(
    ("findings", "only_indexes"),
    [
        ([finding("damaged", "indexes")], True),
        ([finding("damaged", "index pages"), finding("damaged", "index files"), finding("skipped")], True),
        ([finding("damaged", "index pages"), finding("damaged", "tables")], False),
        ([finding("damaged", "index pages"), finding("not assessed", "tables")], False),
        ([finding("not assessed", "indexes")], False),
        (SOUND, False),
    ],
)
def test_indexes_alone_need_no_backup_where_all_tables_are_known_to_be_sound(
    findings: list[Finding], only_indexes: bool
) -> None:
    assert assess(findings).only_indexes is only_indexes


def test_a_dump_is_told_which_tables_to_leave_out() -> None:
    catalog, pages = finding("damaged", relation="pg_catalog.pg_class"), finding("damaged", "table pages", "public.t")
    assessment = assess([finding("damaged"), catalog, pages, finding("not assessed", relation="public.x"), *SOUND])
    assert unreadable_tables(assessment) == ["public.users"]


def test_the_worst_comes_first() -> None:
    statuses: list[Status] = ["skipped", "noted", "damaged", "not assessed"]
    told = assess([*SOUND, *map(finding, statuses)]).findings
    assert [each.status for each in told] == ["damaged", "not assessed", "noted", "skipped", "sound"]


def test_what_is_left_out_is_counted_and_an_assessment_fits_into_a_state() -> None:
    long = Finding("tables", "damaged", "ü" * 1000, "ü" * 100_000)
    assessment = assess([*[long] * 4000, finding("not assessed")])
    assert len(assessment.findings) == MOST_FINDINGS
    assert assessment.left_out == 4001 - MOST_FINDINGS
    assert assessment.counts == {"damaged": 4000, "not assessed": 1}
    assert len(json.dumps(asdict(assessment))) < 200_000


@pytest.mark.parametrize(
    ("state", "message", "status", "problem"),
    [
        ("XX001", "invalid page in block 7 of relation base/5/16", "damaged", "XX001: invalid page in block 7"),
        ("58P01", 'could not open file "base/5/16": No such file', "damaged", '58P01: could not open file "base/5/16"'),
        ("XX000", "invalid memory alloc request size 18446744", "damaged", "XX000: invalid memory alloc request size"),
        ("XX000", "no such thing as 'ada@example.org'", "damaged", "the server refused it (XX000)"),
        ("22021", "invalid byte sequence: 0xff", "damaged", "the server refused it (22021)"),
        ("53200", "out of memory", "not assessed", "the server refused it (53200)"),
        ("57014", "canceling statement", "not assessed", "it was not read to its end in the time that there was"),
        ("55P03", "canceling statement", "not assessed", "another session has locked it"),
        ("42501", "permission denied", "not assessed", "the role may not read it"),
    ],
)
def test_an_error_is_damage_or_a_reason_why_nothing_is_known(
    state: str, message: str, status: Status, problem: str
) -> None:
    found = finding_of("tables", "public.users", state, message)
    assert (found.status, found.relation) == (status, "public.users")
    assert found.problem.startswith(problem)
    assert "ada@" not in found.problem


def test_what_only_a_superuser_may_read_is_skipped() -> None:
    assert finding_of("tables", "pg_catalog.pg_authid", "42501", "permission denied").status == "skipped"


@pytest.mark.parametrize(
    ("severity", "state", "message", "notable"),
    [
        ("PANIC", "", "whatever", True),
        ("ERROR", "XX002", "index is corrupt", True),
        ("FATAL", "58P01", "could not open file", True),
        ("ERROR", "53100", "could not extend file", True),
        ("ERROR", "", "invalid page in block 1 of relation base/5/6", True),
        ("ERROR", "23505", "duplicate key", False),
        ("FATAL", "53300", "sorry, too many clients already", False),
        ("ERROR", "", "duplicate key", False),
        ("LOG", "XX001", "page verification failed", False),
    ],
)
def test_errors_of_storage_are_told_apart_from_those_of_the_service(
    severity: str, state: str, message: str, notable: bool
) -> None:
    assert is_notable(severity, state, message) is notable


def test_of_a_line_in_the_log_only_what_is_about_storage_is_told() -> None:
    assert logged("ERROR", "XX000", 'value "ada@example.org" is odd') == "ERROR XX000"
    message = 'could not read blocks 3..3 in file "base/5/16": read only 0 of 8192 bytes of ada@example.org'
    assert logged("ERROR", "XX001", message) == 'ERROR XX001 (could not read blocks 3..3 in file "base/5/16")'
