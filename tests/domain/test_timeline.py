"""How long an operation took, step by step, beside what was expected and what was promised."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.objectives import Expected, Objective, Plan
from lambdas.domain.timeline import (
    Passage,
    Reached,
    Step,
    expected_in_words,
    in_words,
    recovery_point,
    recovery_time,
    steps_of,
)

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PLAN = Plan(Objective(1800, 86400), steps={"ChooseBackup": Expected(180, 180)})


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def entered(state: str, seconds: float) -> Passage:
    return Passage(state, at(seconds), entered=True)


def left(state: str, seconds: float) -> Passage:
    return Passage(state, at(seconds), entered=False)


# --- steps ------------------------------------------------------------------------------------------------


def test_a_step_lasts_from_entering_a_state_to_leaving_it() -> None:
    passages = [entered("A", 0), left("A", 1.5), entered("B", 2), left("B", 10)]
    assert steps_of(passages, PLAN) == [Step("A", at(0), 1.5, None), Step("B", at(2), 8.0, None)]


def test_a_step_carries_what_the_plan_expects_of_it() -> None:
    passages = [entered("ChooseBackup", 0), left("ChooseBackup", 2)]
    assert steps_of(passages, PLAN) == [Step("ChooseBackup", at(0), 2.0, Expected(180, 180))]


def test_a_state_that_was_not_left_yet_has_no_duration() -> None:
    assert steps_of([entered("A", 0), left("A", 1), entered("B", 1)], PLAN)[1] == Step("B", at(1), None, None)


def test_a_state_that_is_entered_again_is_a_step_of_its_own() -> None:
    passages = [
        entered("Wait", 0),
        left("Wait", 5),
        entered("Look", 5),
        left("Look", 6),
        entered("Wait", 6),
        left("Wait", 9),
    ]
    assert [(step.state, step.seconds) for step in steps_of(passages, PLAN)] == [("Wait", 5), ("Look", 1), ("Wait", 3)]


def test_a_state_that_is_entered_again_and_hangs_leaves_the_first_time_alone() -> None:
    passages = [entered("Wait", 0), left("Wait", 5), entered("Wait", 6)]
    assert [step.seconds for step in steps_of(passages, PLAN)] == [5, None]


def test_a_state_that_is_in_hand_twice_at_once_is_closed_twice() -> None:
    passages = [entered("Copy", 0), entered("Copy", 1), left("Copy", 5), left("Copy", 7)]
    assert sorted(step.seconds or 0 for step in steps_of(passages, PLAN)) == [4, 7]


def test_what_is_left_is_what_was_entered_last() -> None:
    passages = [entered("Wait", 0), entered("Wait", 6), left("Wait", 9)]
    assert [step.seconds for step in steps_of(passages, PLAN)] == [None, 3]


def test_branches_that_run_at_the_same_time_are_told_apart_by_their_names() -> None:
    passages = [entered("A", 0), entered("B", 1), left("A", 3), left("B", 10)]
    assert [(step.state, step.seconds) for step in steps_of(passages, PLAN)] == [("A", 3), ("B", 9)]


def test_a_group_lasts_as_long_as_what_is_in_it() -> None:
    passages = [entered("Both", 0), entered("A", 0), left("A", 3), left("Both", 4)]
    assert [(step.state, step.seconds) for step in steps_of(passages, PLAN)] == [("Both", 4), ("A", 3)]


def test_a_state_that_was_left_but_never_entered_is_no_step() -> None:
    assert steps_of([left("A", 1)], PLAN) == []


def test_an_execution_without_passages_has_no_steps() -> None:
    assert steps_of([], PLAN) == []


def test_a_duration_has_milliseconds() -> None:
    assert steps_of([entered("A", 0), left("A", 0.12349)], PLAN)[0].seconds == 0.123


# --- promises ---------------------------------------------------------------------------------------------


def test_the_recovery_time_is_from_the_start_to_the_proof() -> None:
    assert recovery_time(Objective(rto=1800, rpo=86400), at(0), at(754.2)) == Reached(1800, 754.2)


def test_the_recovery_point_is_how_old_the_data_was_at_the_start() -> None:
    assert recovery_point(Objective(rto=1800, rpo=86400), at(0), at(-3600)) == Reached(86400, 3600.0)


@pytest.mark.parametrize(("measured", "met"), [(0, True), (1799.999, True), (1800, True), (1800.001, False)])
def test_a_promise_is_kept_up_to_the_very_second(measured: float, met: bool) -> None:
    assert Reached(1800, measured).met is met


# --- words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (0.42, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (10, "10 s"),
        (42.4, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (725, "12 min 5 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (3600, "1 h"),
        (3659, "1 h"),
        (3660, "1 h 1 min"),
        (86400, "24 h"),
        (93780, "26 h 3 min"),
    ],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (None, "–"),
        (Expected(300, 300), "5 min"),
        (Expected(900, 1800), "15 min to 30 min"),
        (Expected(9000, 14400), "2 h 30 min to 4 h"),
    ],
)
def test_an_expected_time_in_words(expected: Expected | None, words: str) -> None:
    assert expected_in_words(expected) == words
