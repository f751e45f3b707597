"""What the end of a server's log tells of damage, in each of its formats."""

import json

import pytest

from lambdas.domain.damage import Finding
from lambdas.domain.server_log import Format, log_findings

PAGE = "invalid page in block 3 of relation base/16385/16390"
TIME = "2026-11-22 03:00:00.123 UTC"
STATEMENT = "select secret\nfrom users\nwhere name = 'x,\"\"y'"


def csv(database: str, severity: str, state: str, message: str, time: str = TIME) -> str:
    head = f'{time},"app","{database}",4711,"[::1]:5",6560,1,"SELECT",{TIME},3/4,0'
    return f'{head},{severity},{state},"{message}",,,,,,"{STATEMENT}",15,,"smtpy","client backend",,0\n'


def as_json(database: str, severity: str, state: str, message: str) -> str:
    held = {"timestamp": TIME, "dbname": database, "error_severity": severity, "state_code": state, "message": message}
    return json.dumps({**held, "statement": STATEMENT}) + "\n"


LOGS: dict[Format, str] = {
    "csvlog": csv("smtpy", "ERROR", "XX001", PAGE) * 2
    + csv("smtpy", "ERROR", "23505", "duplicate key")
    + csv("other", "ERROR", "XX001", PAGE)
    + csv("", "PANIC", "53100", "could not write to file pg_wal/xlogtemp.1: No space left on device"),
    "jsonlog": as_json("smtpy", "ERROR", "XX001", PAGE) * 2
    + as_json("smtpy", "ERROR", "23505", "duplicate key")
    + as_json("other", "ERROR", "XX001", PAGE)
    + as_json("", "PANIC", "53100", "could not write to file pg_wal/xlogtemp.1: No space left on device"),
}


@pytest.mark.parametrize("form", ["csvlog", "jsonlog"])
def test_each_kind_of_error_is_told_once_without_those_of_other_databases(form: Format) -> None:
    assert log_findings(LOGS[form], form, "smtpy") == [
        Finding("log", "noted", None, f"ERROR XX001 ({PAGE}), 2 in the log, the last at {TIME}"),
        Finding("log", "noted", None, f"PANIC 53100 (No space left on device), 1 in the log, the last at {TIME}"),
    ]


@pytest.mark.parametrize("form", ["csvlog", "jsonlog"])
def test_a_log_may_begin_in_the_middle_of_a_record(form: Format) -> None:
    whole = log_findings(LOGS[form], form, "smtpy")
    one = len(LOGS[form].split(TIME)[0]) + 1
    for cut in range(one, 200):
        assert log_findings(LOGS[form][cut:] + LOGS[form], form, "smtpy")[-1].problem[:20] == whole[-1].problem[:20]


def test_a_plain_log_tells_what_it_knows() -> None:
    log = (
        f"{TIME} [12] ERROR:  {PAGE}\n"
        f"{TIME} [12] STATEMENT:  select 'ERROR: in a statement'\n"
        f"{TIME} [12] ERROR:  duplicate key value violates a constraint\n"
        f"{TIME} [12] DETAIL:  Key (name)=(ada@example.org) already exists.\n"
        f'{TIME} [12] FATAL:  58030: could not fsync file "base/5/16": Input/output error\n'
        "words\n"
    )
    found = [finding.problem for finding in log_findings(log, "stderr", "smtpy")]
    assert found == [
        f"ERROR ({PAGE}), 1 in the log, the last at 2026-11-22 03:00:00.123",
        'FATAL 58030 (could not fsync file "base/5/16"), 1 in the log, the last at 2026-11-22 03:00:00.123',
    ]


@pytest.mark.parametrize("form", ["csvlog", "jsonlog", "stderr"])
@pytest.mark.parametrize("text", ["", "\n\n", "\ufffd\x00,,,", '{"a": ', "[]", '"', f"{TIME},a"])
def test_whatever_else_stands_in_a_log_tells_nothing(form: Format, text: str) -> None:
    assert log_findings(text, form, "smtpy") == []
