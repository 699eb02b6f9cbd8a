"""README tells all that there is, and nothing that there is not."""

import re
from dataclasses import fields
from pathlib import Path

from benchmarks.table import make_tables
from shoal.producer.cli.main import main
from shoal.shared.jobs import JobRequest
from shoal.shared.settings import PREFIX, Settings

README = (Path(__file__).parents[2] / "README.md").read_text()
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
SETTING = re.compile(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]\b")
# Not a path's part, an argument's or a package's: the program, and what follows it.
COMMAND = re.compile(r"(?<![\w./@:=-])(?<!from )shoal ([a-z][\w-]*)")


def find_code() -> str:
    return "\n".join(CODE.findall(README))


def test_readme_names_every_setting_and_no_other() -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    assert set(SETTING.findall(README)) == known


def test_readme_shows_every_command_and_no_other() -> None:
    assert set(COMMAND.findall(find_code())) == set(main.commands)


def test_readme_has_a_row_for_every_option_of_a_job_with_its_default() -> None:
    table = README.partition("| option of `run` and `submit` |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(--[a-z-]+)` \| .* \| (.*) \|$", table, re.MULTILINE)
    described = {name: default.split(",")[0].strip("` ") for name, default in rows}
    command = main.commands["submit"]
    options = {option.opts[0]: option for option in command.params if option.opts[0][0] == "-"}
    assert described.keys() == options.keys() - {"--json"}
    defaults = JobRequest(source="")
    for name in ("--features", "--image-size", "--clusters", "--algorithm", "--random-state"):
        assert described[name] == str(getattr(defaults, name[2:].replace("-", "_"))), name


def test_figures_are_those_that_the_benchmarks_wrote() -> None:
    for (begin, end), table in make_tables().items():
        assert begin + table + end in README
