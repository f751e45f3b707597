"""The names of the databases that Mailark makes: what each is for can be read, and none is the live one's."""

from typing import get_args

from lambdas.domain.swap import NAME_BYTES
from lambdas.domain.throwaway import Purpose, throwaway_name

LONGEST = "a" * 38
"""What an estate takes for the name of a database, at most."""


def test_a_name_says_what_the_database_is_for_and_is_the_same_each_time() -> None:
    assert throwaway_name("test", "smtpy") == "mailark_test_smtpy"
    assert throwaway_name("restored", "smtpy") == "mailark_restored_smtpy"
    assert throwaway_name("before", "smtpy") == "mailark_before_smtpy"


def test_no_two_purposes_share_a_name_and_none_has_the_live_ones() -> None:
    names = {throwaway_name(purpose, "smtpy") for purpose in get_args(Purpose)}
    assert len(names) == len(get_args(Purpose))
    assert "smtpy" not in names


def test_postgresql_takes_every_name_as_it_is() -> None:
    assert all(len(throwaway_name(purpose, LONGEST)) <= NAME_BYTES for purpose in get_args(Purpose))
