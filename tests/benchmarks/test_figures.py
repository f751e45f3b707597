"""Figures are ratios within one run; a missed goal is kept and shown as one."""

from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import Figure, figure, keep, ratio, read, table, with_table
from lab.aws import ROOT


def test_a_ratio_is_of_the_medians_and_names_both() -> None:
    found = ratio("a restore", [1.0, 3.0, 100.0], [2.0, 0.001, 2.0], "a bare restore", goal=1.5)
    assert (found.value, found.unit, found.met) == (1.5, "×", True)
    assert found.against == "a bare restore: 3.00 s against 2.00 s"


def test_a_goal_is_a_maximum_and_a_missed_one_stays_and_shows() -> None:
    missed = figure("an import", 401.4, "ms", "nothing", goal=400)
    assert (missed.value, missed.met) == (401, False)
    assert "| an import | 401 ms | **missed** 400 ms | nothing |" in table([missed])
    assert figure("an import", 400, "ms", "nothing", goal=400).met is True
    assert figure("an import", 400, "ms", "nothing").met is None


def test_a_figure_replaces_the_one_of_its_name_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results" / "latest.json")
    keep([figure("one", 1, "×", ""), figure("two", 2, "×", "")])
    keep([figure("one", 3, "×", "")])
    assert [(each.name, each.value) for each in read()] == [("one", 3), ("two", 2)]


def test_a_table_replaces_what_stands_between_its_marks() -> None:
    document = "before\n<!-- benchmarks: written by `make bench` -->\nold\n<!-- /benchmarks -->\nafter\n"
    once = with_table(document, [figure("one", 1, "×", r"a \1 back slash")])
    assert "old" not in once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert with_table(once, [figure("one", 1, "×", r"a \1 back slash")]) == once


def test_the_readme_shows_what_was_measured_last() -> None:
    readme = (ROOT / "README.md").read_text()
    assert with_table(readme, read()) == readme, "run `make bench`"
    assert all(isinstance(each, Figure) for each in read())
