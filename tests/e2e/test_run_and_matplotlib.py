"""``shoal run`` where the user's matplotlib is set up for a notebook, or cannot be used at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from shoal_command import FinishedRun, Shoal


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Shoal]:
    shoal = Shoal(tmp_path / "home")
    yield shoal
    shoal.kill_all()


def test_plots_are_the_same_where_a_notebook_has_chosen_the_backend(
    other: Shoal, embedded_run: FinishedRun, tmp_path: Path
) -> None:
    other.environment["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    other.output("run", embedded_run.source, "--out", tmp_path / "out")
    plots = sorted((embedded_run.out / "plots").iterdir())
    assert plots
    for plot in plots:
        assert (tmp_path / "out/plots" / plot.name).read_bytes() == plot.read_bytes()


@pytest.mark.parametrize("with_out", [True, False])
def test_where_no_plot_can_be_drawn_the_end_says_so_and_names_no_plot(
    other: Shoal, embedded_run: FinishedRun, tmp_path: Path, with_out: bool
) -> None:
    (tmp_path / "broken/matplotlib").mkdir(parents=True)
    (tmp_path / "broken/matplotlib/__init__.py").write_text("raise ImportError('no drawing here')")
    other.environment["PYTHONPATH"] = str(tmp_path / "broken")
    out = ["--out", tmp_path / "out"] if with_out else []
    end = other.output("run", embedded_run.source, *out).splitlines()[-4:]
    note = end[1 if with_out else 0]
    assert note.startswith("Plots that could not be drawn: scatter, contact-sheet, sizes")
    assert end[-2].startswith("Report: ")
    assert (tmp_path / "out/report.html").exists() == with_out
    assert not (tmp_path / "out/plots").exists()
