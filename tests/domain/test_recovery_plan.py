"""What a person approves: counts, samples without content, conflicts as CSV, and a digest that stands for all of it."""

import csv
import io
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_errors import RecoveryConditionInvalid, RecoveryTableUnknown
from lambdas.domain.recovery_plan import (
    CSV_COLUMNS,
    Conflict,
    OnConflict,
    PlanDigest,
    RecoveryPlan,
    TableLoss,
    TablePlan,
    by_loss,
    conflicts_csv,
    is_hidden,
    shown,
)
from lambdas.domain.recovery_scope import check_condition, find_table

USERS = TablePlan("public.users", rows=3, parents=1, sample=[{"id": "1", "name": None}])
TAKEN = Conflict("public.users", {"id": "5"}, "taken", "users_email_key", ["email"], {"id": "9"})
LONELY = Conflict("public.events", {"a": '1,"x"', "b": "zwei\n"}, "parent missing", "events_fkey", ["x", "y"])


def plan(tables: list[TablePlan], conflicts: int = 0, on_conflict: OnConflict = "stop") -> RecoveryPlan:
    return RecoveryPlan(tables, [TAKEN] if conflicts else [], conflicts, on_conflict, "digest")


# --- the verdict ------------------------------------------------------------------------------------------


def test_a_plan_without_conflicts_is_imported() -> None:
    assert plan([USERS]).importable
    assert plan([USERS]).rows == 3


def test_with_conflicts_it_is_imported_only_when_they_are_to_be_skipped() -> None:
    assert not plan([USERS], conflicts=1).importable
    assert plan([USERS], conflicts=1, on_conflict="skip").importable


def test_nothing_missing_and_everything_in_conflict_are_not_the_same() -> None:
    all_left = replace(USERS, rows=0, left_out=3)
    assert plan([]).nothing_missing
    assert not plan([all_left], conflicts=3, on_conflict="skip").nothing_missing
    assert not plan([all_left], conflicts=3, on_conflict="skip").importable


def test_a_plan_can_be_kept_as_json_and_read_back() -> None:
    whole = replace(plan([USERS], conflicts=1), unlinked={"public.logs (user_id)": 7})
    assert msgspec.json.decode(msgspec.json.encode(whole), type=RecoveryPlan) == whole


# --- what is shown of a row -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        *(
            "body",
            "Subject",
            "message_content",
            "payload",
            "token_hash",
            "clientSecret",
            "PASSWORD",
            "api_key",
            "headers",
        ),
        *("text", "message", "mime", "preview_line", "raw_data", "comment", "notes", "description"),
        *("raw", "eml", "source", "session_key", "session_id", "cookie", "otp_code", "Nonce", "signature"),
    ],
)
def test_columns_that_sound_like_content_or_secrets_are_hidden(column: str) -> None:
    assert is_hidden(column)


@pytest.mark.parametrize("column", ["id", "email", "name", "created_at", "recipient", "organization_id", "size_bytes"])
def test_other_columns_are_shown(column: str) -> None:
    assert not is_hidden(column)


def test_a_long_value_is_shown_as_its_length() -> None:
    assert shown("x" * 80, 80) == "x" * 80
    assert shown("x" * 80, 2314) == "(2,314 characters)"
    assert shown("\\x00", 2314, binary=True) == "(2,314 bytes)"
    assert shown(None, 0) is None
    assert shown("", 0) == ""


# --- conflicts --------------------------------------------------------------------------------------------


def test_conflicts_are_csv_with_headers() -> None:
    assert conflicts_csv([TAKEN]) == (
        "table,key,problem,constraint,columns,live_key\r\n"
        'public.users,"{""id"":""5""}",taken,users_email_key,email,"{""id"":""9""}"\r\n'
    )
    rows = list(csv.DictReader(io.StringIO(conflicts_csv([TAKEN, LONELY]), newline="")))
    assert [row["problem"] for row in rows] == ["taken", "parent missing"]
    assert msgspec.json.decode(rows[1]["key"]) == LONELY.key
    assert rows[1]["live_key"] == ""


def test_no_conflicts_are_csv_with_headers_alone() -> None:
    assert conflicts_csv([]) == ",".join(CSV_COLUMNS) + "\r\n"


def test_a_conflict_in_words_names_the_row_and_the_constraint() -> None:
    assert str(TAKEN) == "public.users id 5 (taken: users_email_key)"


# --- the digest -------------------------------------------------------------------------------------------


def digest(on_conflict: OnConflict, *tables: tuple[str, list[str], TablePlan, list[bytes]]) -> str:
    made = PlanDigest(on_conflict)
    for each in tables:
        made.table(*each)
    return made.hexdigest()


BASE = ("public.users", ["id", "name"], USERS, [b"1\n2\n", b"3\n"])


def test_the_same_plan_has_the_same_digest_however_its_keys_are_cut() -> None:
    assert digest("stop", BASE) == digest("stop", (*BASE[:3], [b"1", b"\n2\n3", b"\n"]))


@pytest.mark.parametrize(
    "other",
    [
        ("public.users2", *BASE[1:]),
        (BASE[0], ["id"], *BASE[2:]),
        (*BASE[:2], replace(USERS, rows=4), BASE[3]),
        (*BASE[:2], replace(USERS, parents=0), BASE[3]),
        (*BASE[:2], replace(USERS, left_out=1), BASE[3]),
        (*BASE[:3], [b"1\n2\n4\n"]),
    ],
)
def test_a_plan_that_does_anything_else_has_another_digest(
    other: tuple[str, list[str], TablePlan, list[bytes]],
) -> None:
    assert digest("stop", other) != digest("stop", BASE)


def test_whether_conflicts_are_skipped_is_part_of_what_is_approved() -> None:
    assert digest("stop", BASE) != digest("skip", BASE)


def test_two_tables_do_not_run_into_one_another() -> None:
    first, second = (*BASE[:3], [b"1\n", b"2\n"]), (*BASE[:3], [b"3\n"])
    assert digest("stop", first, second) != digest("stop", (*BASE[:3], [b"1\n"]), (*BASE[:3], [b"2\n3\n"]))


# --- where rows were lost ---------------------------------------------------------------------------------


def test_the_table_that_lost_most_comes_first_and_those_that_lost_none_do_not_come() -> None:
    few, many = TableLoss("a", 10, 9, 1), TableLoss("b", 10, 30, 7)
    counted, grown = TableLoss("c", 10, 5, None), TableLoss("d", 5, 10, None)
    assert by_loss([few, TableLoss("e", 10, 10, 0), counted, grown, many]) == [many, counted, few]


# --- the scope --------------------------------------------------------------------------------------------

TABLES = [Table("public", "users"), Table("audit", "users"), Table("audit", "log"), Table("public", "Big")]


@pytest.mark.parametrize(
    ("text", "found"),
    [("users", 0), ("public.users", 0), ("audit.users", 1), ("log", 2), ('"Big"', 3), ("Big", 3), ('public."Big"', 3)],
)
def test_a_table_is_found_by_its_name(text: str, found: int) -> None:
    assert find_table(text, TABLES) == TABLES[found]


def test_a_name_that_two_tables_have_needs_a_schema() -> None:
    tables = [Table("a", "x"), Table("b", "x"), Table("c", "y")]
    with pytest.raises(RecoveryTableUnknown, match=r"Name one of these, .*: a\.x, b\.x\."):
        find_table("x", tables)
    with pytest.raises(RecoveryTableUnknown, match=r": none\."):
        find_table("x", [])


@pytest.mark.parametrize(
    "where",
    [
        "id = 1",
        "a = ';' and b = '--' and c = '/*' and d = ')'",
        "a = E'it\\'s ; ('",
        "a = $x$ ' ; ) $$ $x$ or $1 = b$c",
        'a."x;)" = 1',
        "((a)) and (b or (c))",
        "a = U&'\\0061;' or b = b'101' or c = X'1F' or n = N';'",
        "a -> 'b' - 1 / 2 * 3 > 0",
        "name = '🙂;' and \"🙂)\" is null",
    ],
)
def test_a_condition_that_stays_in_its_parentheses_is_taken(where: str) -> None:
    assert check_condition("users", where) == where


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("true; delete from users", "it goes on after a semicolon"),
        ("true;", "it goes on after a semicolon"),
        ("true\0", "it goes on after a semicolon"),
        ("true) or (true", "it closes a parenthesis that it has not opened"),
        (") = (", "it closes a parenthesis that it has not opened"),
        ("(true", "a parenthesis in it is not closed"),
        ("true --", "it holds a comment"),
        ("true /* ' */", "it holds a comment"),
        ("a = '", "a quote in it is not closed"),
        ("a = 'it''s", "a quote in it is not closed"),
        ("a = E'\\'", "a quote follows a letter or digit, where a space is missing"),
        ('a = "x', "a quote in it is not closed"),
        ("a = $$x", "a quote in it is not closed"),
        ("a = $t$ x $T$", "a quote in it is not closed"),
        ("a = 1e'\\') or (true -- '", "a quote follows a letter or digit, where a space is missing"),
        ("a = 🙂e'\\' ) or ( '", "a quote follows a letter or digit, where a space is missing"),
        ("a = $🙂$ ' $🙂$ ) or ( true '", "it closes a parenthesis that it has not opened"),
        ("a = b$$ ) or ( $$", "it closes a parenthesis that it has not opened"),
    ],
)
def test_a_condition_that_would_leave_its_parentheses_is_refused(where: str, problem: str) -> None:
    with pytest.raises(RecoveryConditionInvalid) as raised:
        check_condition("public.users", where)
    assert str(raised.value).startswith(
        f"recovery-condition-invalid: The condition on public.users cannot be used: {problem}.\n"
    )


@given(st.text(st.sampled_from("ab1'\"();$-/*\\E \n\0é"), max_size=40))
def test_whatever_is_taken_has_no_semicolon_outside_of_quotes_and_closes_what_it_opens(where: str) -> None:
    try:
        check_condition("users", where)
    except RecoveryConditionInvalid:
        return
    bare = where
    for quote in ("'", '"', "$"):
        if quote in bare:
            return
    assert ";" not in bare
    assert "--" not in bare
    assert bare.count("(") == bare.count(")")
