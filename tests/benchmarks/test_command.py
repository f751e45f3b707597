"""`make bench ONLY=...`: what was not measured again stays, in the file and in the table."""

from pathlib import Path

import pytest

import benchmarks.__main__ as bench
from benchmarks import figures
from benchmarks.figures import figure, keep, read, with_table
from lab.lab import Progress

PAGE = "before\n<!-- benchmarks: written by `make bench` -->\n<!-- /benchmarks -->\nafter\n"


@pytest.fixture
def readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A README with two rows, of which the part `database` measures one."""
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results" / "latest.json")
    page = tmp_path / "README.md"
    page.write_text(with_table(PAGE, keep([figure("a dump", 1, "×", "then"), figure("an import", 400, "ms", "")])))
    monkeypatch.setattr(bench, "_README", page)

    def measure(folder: Path, progress: Progress) -> list[figures.Figure]:
        progress("measuring")
        assert folder.is_dir()
        return [figure("a dump", 2, "×", "now")]

    monkeypatch.setitem(bench._ALONE, "database", measure)
    return page


def test_a_part_that_is_measured_again_replaces_its_rows_and_keeps_the_others(
    readme: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["--only", "database"]) == 0
    assert [(each.name, each.value) for each in read()] == [("a dump", 2), ("an import", 400)]
    assert "| a dump | 2 × |  | now |" in readme.read_text()
    assert "| an import | 400 ms |" in readme.read_text()
    said = capsys.readouterr().out
    assert "measuring" in said
    assert "an import" not in said, "which was not measured"


def test_a_part_that_nobody_knows_is_refused(readme: Path) -> None:
    before = readme.read_text()
    with pytest.raises(SystemExit):
        bench.main(["--only", "databases"])
    assert readme.read_text() == before
