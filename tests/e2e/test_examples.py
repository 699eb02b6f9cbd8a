"""The examples of the documents, run as they stand there.

Blocks marked ``python`` are run one after the other, each in a process of its own, in a directory
with a folder ``photos``. In blocks marked ``sh``, every ``shoal`` command must parse; those of
the pages in ``RUN`` are run by bash, without the lines of ``NOT_HERE``.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from shoal_command import PYTHON, Shoal
from worker_process import Worker

from benchmarks.photographs import make_photographs
from shoal.producer.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KNOWN = {"python", "sh", "text", "json", "toml", "yaml"}

TUTORIAL = "docs/tutorial.md"
SCRIPT = "docs/how-to/submit-from-a-script.md"
RUN = (TUTORIAL, SCRIPT)
HOW_TO = "docs/how-to/"
ASSIGN = "docs/how-to/assign-new-images.md"
ORGANIZE = "docs/how-to/organize-into-folders.md"
# What a reader does once: test_installed.py does it in an environment of its own. And what serves
# until it is stopped: test_page.py has it.
NOT_HERE = re.compile(r"(make|pip|\. \.venv/bin/activate|shoal serve)\b")
# Words of other programs before one of the producer's container.
COMPOSE = re.compile(r"docker compose run --rm (?:-T )?producer (.*)")
# `shoal submit` starts no workers.
NEEDS_A_RESULT = re.compile(
    r"shoal (wait|result|plot|report|duplicates|evaluate|features|search|recommend|name|organize)\b"
)
BRINGS_WORKERS = re.compile(r"shoal (run|worker)\b|docker compose up|client\.submit\(")
COMMAND = re.compile(r"(?:^|[|;(]|&&|--)\s*shoal (.*)")
SECONDS = 90
PHOTOGRAPHS = 24


def find_blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(page.read_text()) if found == language]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def pages_with(language: str) -> list[str]:
    return [name_of(page) for page in PAGES if find_blocks(page, language)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the folders that the examples name, with few photographs each."""
    directory = tmp_path_factory.mktemp("examples")
    made = sorted(make_photographs(tmp_path_factory.mktemp("made"), PHOTOGRAPHS).rglob("*.jpg"))
    for folder in ("photos", "samples/photographs"):
        for number, photograph in enumerate(made):
            target = directory / folder / f"picture-{number % 8}" / photograph.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(photograph)
    (directory / "Pictures").mkdir()
    for photograph in made[:12]:
        (directory / "Pictures" / photograph.name).hardlink_to(photograph)
    (directory / "bin").mkdir()
    shoal = directory / "bin" / "shoal"
    shoal.write_text(f'#!/bin/sh\nexec {shlex.quote(PYTHON)} -m shoal "$@"\n')
    shoal.chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def shoal(tmp_path_factory: pytest.TempPathFactory, directory: Path) -> Iterator[Shoal]:
    """The embedded server of all examples, with nobody at work before an example asks for it."""
    shoal = Shoal(tmp_path_factory.mktemp("home"))
    shoal.environment |= {
        "HOME": str(directory),
        "PATH": f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    yield shoal
    shoal.kill_all()


def run(shoal: Shoal, directory: Path, *command: str) -> str:
    """Run a command to its end, which is a success; return what it printed."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=shoal.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_python(shoal: Shoal, directory: Path, code: str) -> str:
    """Run a block from a file, where a warning is an error; return what it printed."""
    (directory / "example.py").write_text(code)
    return run(shoal, directory, sys.executable, "-W", "error", "example.py")


def run_shell(shoal: Shoal, directory: Path, page: str) -> str:
    """Run the blocks of a page as one script, which stops at the first error."""
    lines = "".join(find_blocks(ROOT / page, "sh")).splitlines()
    script = "\n".join(["set -e", *(line for line in lines if not NOT_HERE.match(line))])
    return run(shoal, directory, "bash", "-c", script)


def test_a_script_submits_polls_and_reads_with_nothing_running_before(
    shoal: Shoal, directory: Path
) -> None:
    first, *_ = find_blocks(ROOT / SCRIPT, "python")
    printed = run_python(shoal, directory, first)
    assert printed.startswith("submitted job ")
    assert printed.count("cluster ") == PHOTOGRAPHS
    assert (directory / "scatter.png").read_bytes().startswith(b"\x89PNG")


def test_the_tutorial_ends_with_its_results(shoal: Shoal, directory: Path) -> None:
    printed = run_shell(shoal, directory, TUTORIAL)
    assert "Report: out-pixels/report.html" in printed
    assert "clusters: " in printed
    assert "nmi" in printed
    assert not (directory / "out-pixels" / "plots" / "choice.png").exists()
    assert (directory / "pictures" / "plots" / "choice.png").is_file()
    assert printed.endswith("path,reason,detail\n")


def test_images_are_organized_and_all_is_taken_back(shoal: Shoal, directory: Path) -> None:
    printed = run_shell(shoal, directory, ORGANIZE)
    assert f"{PHOTOGRAPHS} images would be in" in printed
    assert "00-harbour at night" in printed
    assert printed.endswith(f"{PHOTOGRAPHS} images moved back\n")
    assert not {"sorted", "copies", "moved"} & {path.name for path in directory.iterdir()}
    assert len(list((directory / "photos").rglob("*.jpg"))) == PHOTOGRAPHS


@pytest.mark.parametrize("page", [page for page in pages_with("sh") if page.startswith(HOW_TO)])
def test_a_guide_reads_no_result_that_nobody_works_on(page: str) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text())
    lines = [line for kind, code in blocks if kind != "text" for line in code.splitlines()]
    for line in lines:
        if BRINGS_WORKERS.search(line):
            return
        assert not NEEDS_A_RESULT.match(line), line


@pytest.fixture(scope="module")
def worker(shoal: Shoal) -> Iterator[Worker]:
    """Somebody at work, so that not every example has to wait for the start of workers."""
    with Worker(shoal) as worker:
        yield worker


def test_other_scripts_wait_and_read_later(shoal: Shoal, worker: Worker, directory: Path) -> None:
    _, *others = find_blocks(ROOT / SCRIPT, "python")
    waited, submitted, read = (run_python(shoal, directory, code) for code in others)
    assert len(re.findall(r"^[0-3] \d+ \['picture", waited, re.MULTILINE)) == 4
    assert not submitted
    assert "images in the largest cluster" in read


def test_the_shell_script_ends_with_labels_and_a_plot(
    shoal: Shoal, worker: Worker, directory: Path
) -> None:
    for name in ("labels.json", "scatter.png"):
        (directory / name).unlink(missing_ok=True)
    run_shell(shoal, directory, SCRIPT)
    assert (directory / "labels.json").read_text().count('"path"') == PHOTOGRAPHS
    assert (directory / "scatter.png").is_file()


def test_an_inbox_is_sorted_and_nothing_is_replaced(
    shoal: Shoal, worker: Worker, directory: Path
) -> None:
    (script,) = (code for code in find_blocks(ROOT / ASSIGN, "text") if "sys.argv" in code)
    (directory / "sort_inbox.py").write_text(script)
    job_id = run(shoal, directory, "bash", "-c", "shoal submit photos").strip()
    run(shoal, directory, "shoal", "wait", job_id)
    photographs = {path.name: path for path in (directory / "photos").rglob("*.jpg")}
    names = sorted(photographs)[:3]

    def sort_inbox() -> str:
        for name in names:
            inbox = directory / "in box" / f"it's {name}"
            inbox.parent.mkdir(exist_ok=True)
            inbox.write_bytes(photographs[name].read_bytes())
        command = (sys.executable, "sort_inbox.py", job_id, "in box", "sorted inbox")
        return run(shoal, directory, *command)

    assert not sort_inbox()
    sorted_inbox = directory / "sorted inbox"
    found = sorted(path.name for path in sorted_inbox.rglob("*.jpg"))
    assert found == [f"it's {name}" for name in names]
    assert all(re.fullmatch(r"cluster-\d+", path.name) for path in sorted_inbox.iterdir())
    assert not list((directory / "in box").iterdir())
    assert sort_inbox().count("there already") == 3
    assert len(list((directory / "in box").iterdir())) == 3


@pytest.mark.parametrize("page", [page for page in pages_with("python") if page not in RUN])
def test_python_is_run_as_it_stands(
    shoal: Shoal, worker: Worker, directory: Path, page: str
) -> None:
    for code in find_blocks(ROOT / page, "python"):
        run_python(shoal, directory, code)


@pytest.mark.parametrize("page", pages_with("sh"))
def test_every_command_of_a_page_parses(page: str) -> None:
    commands = [command for code in find_blocks(ROOT / page, "sh") for command in split(code)]
    assert commands or "shoal" not in "".join(find_blocks(ROOT / page, "sh"))
    for words in commands:
        name, *arguments = words
        assert name in main.commands, words
        parse(main.commands[name], name, arguments)


def split(code: str) -> Iterator[list[str]]:
    """Yield the words after each `shoal` of a block."""
    for line in code.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\||;|\$\(", line):
            for pattern in (COMMAND, COMPOSE):
                if found := pattern.search(part.strip()):
                    words = found[1].partition(" > ")[0].partition(" &")[0].rstrip(")")
                    yield shlex.split(words, comments=True)


def parse(command: click.Command, name: str, arguments: list[str]) -> None:
    """Fail unless a command takes these arguments."""
    with main.make_context("shoal", [name], resilient_parsing=True) as parent:
        command.make_context(name, list(arguments), parent=parent)


def test_every_block_says_what_it_is() -> None:
    for page in PAGES:
        found = {language for language, _ in BLOCK.findall(page.read_text())}
        assert found <= KNOWN, page
