"""Plots look the same whatever matplotlib is told by the user's environment and files."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

DRAW = """
import sys
import numpy as np
from shoal.worker import plots
with plots.default_style():
    picture = plots.plot_variance(np.array([0.5, 0.25, 0.125]))
sys.stdout.buffer.write(plots.encode_png(picture))
"""
GAUDY = b"figure.facecolor: red\naxes.facecolor: black\nfont.size: 40\nbackend: tkagg\n"
GAUDY += b"lines.linewidth: 9\naxes.prop_cycle: cycler('color', 'r')\ntext.usetex: True\n"


def draw(home: Path, **configuration: str) -> bytes:
    """Draw in a process whose current directory is ``home``; return the PNG."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("MPL", "MATPLOTLIB", "XDG"))}
    command = [sys.executable, "-c", DRAW]
    environment = ours | {"HOME": str(home)} | configuration
    return subprocess.run(command, cwd=home, env=environment, stdout=-1, check=True).stdout


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    png = draw(tmp_path_factory.mktemp("home"))
    assert png.startswith(b"\x89PNG")
    return png


@pytest.mark.parametrize(
    "configuration",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"MPLBACKEND": "tkagg"},
        {"MATPLOTLIBRC": "gaudy"},
        {"MPLCONFIGDIR": "configuration"},
        {"MPLCONFIGDIR": "/dev/null/nowhere"},
    ],
    ids=lambda configuration: " ".join(*configuration.items()),
)
def test_the_environment_changes_no_plot(
    tmp_path: Path, expected: bytes, configuration: Mapping[str, str]
) -> None:
    (tmp_path / "gaudy").write_bytes(GAUDY)
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration/matplotlibrc").write_bytes(GAUDY)
    assert draw(tmp_path, **configuration) == expected


@pytest.mark.parametrize("content", [GAUDY, b"figure.facecolor: \xff\xfe\n"], ids=["gaudy", "odd"])
@pytest.mark.parametrize(
    "place",
    [
        "matplotlibrc",
        ".config/matplotlib/matplotlibrc",
        ".config/matplotlib/stylelib/mine.mplstyle",
    ],
)
def test_no_file_of_the_user_changes_a_plot(
    tmp_path: Path, expected: bytes, place: str, content: bytes
) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(content)
    assert draw(tmp_path) == expected


def test_what_another_package_sets_changes_no_plot(tmp_path: Path, expected: bytes) -> None:
    setting = "import matplotlib; matplotlib.rcParams['axes.facecolor'] = 'red'"
    (tmp_path / "sitecustomize.py").write_text(setting)
    assert draw(tmp_path, PYTHONPATH=str(tmp_path)) == expected
