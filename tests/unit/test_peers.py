"""Other programs beside Shoal: what is installed, how a run is measured, what it found."""

import json
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.peers.__main__ import write_figures
from benchmarks.peers.environments import (
    INSTALLED,
    InstallationError,
    find_cause,
    find_python,
    make_environment,
)
from benchmarks.peers.folders import BROKEN, READABLE, find_originals, make_folder
from benchmarks.peers.measuring import Run, adopted_orphans, run_program
from benchmarks.peers.outcomes import (
    count_others,
    find_error,
    judge_broken,
    share_of_copies,
)
from benchmarks.peers.programs import PROGRAMS, SHOAL
from benchmarks.peers.tables import make_speed_table, make_yield_table

ROOT = Path(__file__).parents[2]
SECONDS = 60
MEGABYTES = 64
LEAVES_AN_ORPHAN = f"""
import os, signal, time
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        memory = b"x" * ({MEGABYTES} * 2**20)
        with open("pid", "w") as file:
            file.write(str(os.getpid()))
        os.rename("pid", "ready")
        signal.pause()
    os._exit(0)
os.wait()
while not os.path.exists("ready"):
    time.sleep(0.01)
print("done")
"""


def make_run(outcome=None, *, exit_code=0, messages="") -> Run:
    output = "words\n" + json.dumps(outcome) if outcome else ""
    return Run(1.0, 1, exit_code, output, messages)


@pytest.mark.parametrize("program", [*PROGRAMS, *SHOAL.values()], ids=lambda p: p.script)
def test_every_program_has_its_script_and_exact_versions(program) -> None:
    assert (ROOT / "benchmarks" / "peers" / "scripts" / f"{program.script}.py").is_file()
    assert all(package.count("==") == 1 for package in program.packages)


def test_every_script_belongs_to_a_program() -> None:
    scripts = {path.stem for path in (ROOT / "benchmarks/peers/scripts").glob("with_*.py")}
    assert scripts == {program.script for program in (*PROGRAMS, *SHOAL.values())}


def test_a_run_counts_the_memory_of_processes_whose_parent_has_ended(tmp_path) -> None:
    with adopted_orphans():
        run = run_program([sys.executable, "-c", LEAVES_AN_ORPHAN], tmp_path, {}, SECONDS)
    assert (run.exit_code, run.output) == (0, "done\n")
    assert run.peak_bytes > MEGABYTES * 2**20
    orphan = int((tmp_path / "ready").read_text())
    assert not psutil.pid_exists(orphan)


def test_a_run_that_does_not_end_is_killed(tmp_path) -> None:
    endless = "import signal\nprint('begun', flush=True)\nsignal.pause()"
    run = run_program([sys.executable, "-c", endless], tmp_path, {}, timeout_seconds=0.5)
    assert run.exit_code is None
    assert find_error(run).startswith("did not end within ")


def test_the_error_of_a_run_is_the_last_line_of_its_messages() -> None:
    assert find_error(make_run({"images": 1})) == ""
    failed = make_run(exit_code=1, messages="Traceback\nOSError: none\n")
    assert find_error(failed) == "OSError: none"
    assert find_error(make_run(exit_code=3)) == "exit code 3"


@pytest.mark.parametrize(
    ("run", "judgement"),
    [
        (make_run({"images": READABLE, "failed": [BROKEN]}), "listed"),
        (make_run({"images": READABLE, "failed": []}), "left out without a word"),
        (
            make_run({"images": READABLE, "failed": []}, messages=f"cannot read {BROKEN}"),
            "in messages only",
        ),
        (make_run({"images": READABLE + 1, "failed": []}), "counted as an image"),
        (make_run(exit_code=1), "ends with an error"),
    ],
    ids=["listed", "left-out", "message", "counted", "error"],
)
def test_what_becomes_of_an_unreadable_file_is_told(run: Run, judgement: str) -> None:
    assert judge_broken(run) == judgement


def test_a_copy_is_found_if_its_group_has_its_original() -> None:
    originals = {"exact-1": "1", "exact-2": "2", "smaller-3": "3", "smaller-4": "4"}
    # The first by way of a third image; the second with others; the third alone.
    pairs = [("exact-1", "9"), ("1", "9"), ("exact-2", "8"), ("4", "smaller-4")]
    assert share_of_copies(pairs, originals) == 0.5
    assert count_others(pairs, originals) == 2


def test_a_tenth_of_a_folder_are_copies(tmp_path) -> None:
    folder = make_folder(tmp_path, 40)
    originals = find_originals(folder)
    assert len(list(folder.rglob("*.jpg"))) == 40
    assert originals == {
        "exact-000000.jpg": "000000.jpg",
        "smaller-000001.jpg": "000001.jpg",
        "exact-000002.jpg": "000002.jpg",
        "smaller-000003.jpg": "000003.jpg",
    }
    exact = folder / "copies" / "exact-000002.jpg"
    assert exact.read_bytes() == (folder / "000" / "000002.jpg").read_bytes()


def test_an_environment_that_is_whole_is_used_again(tmp_path) -> None:
    program = PROGRAMS[0]
    folder = tmp_path / program.script
    folder.mkdir()
    (folder / INSTALLED).write_text(json.dumps(program.packages))
    assert make_environment(program, tmp_path) == folder / "bin" / "python"


def test_a_program_for_a_python_that_is_not_here_says_so(monkeypatch) -> None:
    assert find_python((3, 11)) == sys.executable
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InstallationError, match=r"^needs Python 3\.99; here is 3\."):
        find_python((3, 99))


def test_the_cause_of_a_failed_installation_is_the_last_error_of_pip() -> None:
    messages = (
        "WARNING: x\nERROR: Could not find a version\nERROR: No matching distribution\nhint\n"
    )
    assert find_cause(messages) == "No matching distribution"
    assert find_cause("killed\n") == "pip failed"


def test_the_tables_have_a_row_for_a_program_that_did_not_run() -> None:
    row = {
        "program": PROGRAMS[-1].name,
        "version": "2",
        "purpose": "vectors",
        "error": "no such package",
    }
    figures = {"shoal_broken": "listed", "programs": [row]}
    for table in (make_speed_table(figures), make_yield_table(figures)):
        head, _, *rows = [line for line in table.splitlines() if line.startswith("|")]
        assert {row.count(" |") for row in rows} == {head.count(" |")}
    assert "| no such package |" in make_speed_table(figures)


def test_a_page_says_which_programs_are_faster_than_shoal() -> None:
    sides = {
        f"{prefix}{name}": 10
        for prefix in ("", "shoal_")
        for name in ("images_per_second", "share", "megabytes")
    }
    rows = [
        {"program": name, "version": "1", "purpose": "p", "images": 9, "rounds": 3, **sides}
        | {"times_as_long_as_shoal": times}
        for name, times in (("One", 0.9), ("Two", 1.2))
    ]
    table = make_speed_table({"programs": rows})
    assert table.endswith("medians: 3. Faster than Shoal: One. With less memory: none.\n")
    assert "| Two (1) | p | 9 | 10 | 1000.0 % | 10 MB | 10 | 1000.0 % | 10 MB | 1.2 × |" in table


def test_figures_of_one_program_leave_those_of_the_others(tmp_path) -> None:
    path = tmp_path / "figures" / "peers.json"
    first, second, third = (program.name for program in PROGRAMS[:3])
    for name, images in ((third, 1), (first, 2), (third, 3)):
        write_figures(path, "listed", {"program": name, "images": images})
    rows = json.loads(path.read_text())["programs"]
    assert rows == [{"program": first, "images": 2}, {"program": third, "images": 3}]
    assert second not in path.read_text()
