"""The documents tell all that there is, and nothing that there is not."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from fastapi import APIRouter
from metrics_page import make_page
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import shoal
from benchmarks.table import make_tables, read
from shoal.producer.cli.main import main
from shoal.producer.client import Client
from shoal.producer.job import Job
from shoal.producer.web.api import health
from shoal.producer.web.app import PAGES as WEB_PAGES
from shoal.producer.web.app import make_gated_app
from shoal.shared.findings import (
    Assignment,
    Duplicate,
    DuplicateCounts,
    Failure,
    FailureReason,
    PlotName,
    Summary,
)
from shoal.shared.jobs import Algorithm, JobRequest, State, Status
from shoal.shared.recipe.features import EXTRACTORS, choose_image_size
from shoal.shared.settings import PREFIX, Settings
from shoal.worker.prediction import Model

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
REFERENCE = DOCS / "reference"
README_BYTES = 6000
PARTS = ("producer", "shared", "worker", "benchmarks")

FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SETTING = re.compile(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]\b")
# Not a path's part, an argument's or a package's: the program, and what follows it.
COMMAND = re.compile(r"(?<![\w./@:=-])(?<!from )(?<!import )shoal ([a-z][\w-]*)")
SOURCE_FILE = re.compile(r"`([\w./-]+/[\w./-]+\.(?:py|lua|html|js|css|toml|md|yml))`")


def read_page(name: str) -> str:
    return (DOCS / name).read_text()


def find_code(text: str) -> str:
    return "\n".join(CODE.findall(text))


def find_section(text: str, heading: str) -> str:
    """Return what is below a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, _, rest = text.partition(f"\n{heading}\n")
    assert rest, f"no section {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def find_rows(text: str, *, head: str = "") -> dict[str, list[str]]:
    """Return the rows of the tables of ``text``, or of the one with this head, by first cell."""
    if head:
        _, found, rest = text.partition(f"\n| {head} |")
        assert found, f"no table {head!r}"
        text = rest.partition("\n\n")[0]
    rows = (line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| "))
    return {first.strip("` "): [cell.strip() for cell in rest] for first, *rest in rows}


def names(model: type[Any]) -> set[str]:
    return {field.name for field in fields(model)}


def show_default(name: str, value: Any) -> str:
    if value in (None, ()):
        return "unset"
    if name.endswith(("_bytes", "_memory")):
        unit, size = next((u, n) for u, n in (("G", 2**30), ("M", 2**20)) if value % n == 0)
        return f"{value // size}{unit}"
    return str(value if isinstance(value, str) else int(value))


def test_the_readme_is_a_front_page() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= README_BYTES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    text = FENCED.sub("", page.read_text())
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in find_anchors(target), link


def find_anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as hosts of Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, pending = set[Path](), [ROOT / "README.md"]
    while pending:
        page = pending.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text()))
        pending += [(page.parent / link).resolve() for link in links if link and ":" not in link]
    assert reached >= set(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    for name in SOURCE_FILE.findall(FENCED.sub("", page.read_text())):
        if name.partition("/")[0] in (*PARTS, "tests", "docs"):
            assert (ROOT / name).is_file(), name


def test_every_setting_has_its_row_with_its_meaning_and_default() -> None:
    rows = find_rows(read_page("reference/settings.md"), head="variable | meaning | default")
    rows.pop("---|---|---", None)
    expected = {
        PREFIX + field.name.upper(): [
            field.metadata["meaning"],
            show_default(field.name, field.default),
        ]
        for field in fields(Settings)
    }
    assert rows == expected


def test_no_page_names_a_setting_that_is_not_there() -> None:
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    found = {name for page in PAGES for name in SETTING.findall(page.read_text())}
    assert found == known


def test_no_page_shows_a_command_that_is_not_there() -> None:
    found = {name for page in PAGES for name in COMMAND.findall(find_code(page.read_text()))}
    assert found == set(main.commands)


def test_every_command_has_its_row_and_its_section_and_no_other() -> None:
    text = read_page("reference/commands.md")
    rows = re.findall(r"^\| \[`shoal ([a-z]+)[^`]*`\]\(#shoal-\1\) \|", text, re.MULTILINE)
    sections = re.findall(r"^## shoal ([a-z]+)$", text, re.MULTILINE)
    assert rows == sections
    assert set(rows) == set(main.commands)
    assert len(rows) == len(main.commands)


@pytest.mark.parametrize("name", main.commands)
def test_the_section_of_a_command_has_its_options_and_no_other(name: str) -> None:
    section = find_section(read_page("reference/commands.md"), f"## shoal {name}")
    shown = set(re.findall(r"^\| `(--[a-z-]+)`", section, re.MULTILINE))
    known = find_options(main.commands[name])
    if known >= {"--features", "--force"}:
        assert "options-and-files.md#options-of-a-job" in section
        known -= find_rows(job_options()).keys()
    assert shown == known


def find_options(command: click.Command) -> set[str]:
    """Return the options of a command, each by its long name."""
    options = (p for p in command.params if isinstance(p, click.Option))
    return {next(o for o in option.opts if o.startswith("--")) for option in options}


def job_options() -> str:
    """Return the table of the options of a job."""
    text = find_section(read_page("reference/options-and-files.md"), "## Options of a job")
    return text.partition("\n### ")[0]


def test_every_option_of_a_job_has_its_row_with_its_default() -> None:
    rows = {name: cells for name, cells in find_rows(job_options()).items() if name[:2] == "--"}
    assert rows.keys() == find_options(main.commands["submit"]) - {"--json", "--verbose"}
    assert rows.keys() == find_options(main.commands["run"]) - {
        "--json",
        "--verbose",
        "--out",
        "--concurrency",
    }
    defaults = JobRequest(source="")
    for name in ("--features", "--image-size", "--clusters", "--algorithm", "--random-state"):
        default = rows[name][1].rstrip("|").split(",")[0].strip("` ")
        assert default == str(getattr(defaults, name[2:].replace("-", "_"))), name


def test_every_extractor_has_its_row_with_its_image_size() -> None:
    rows = find_rows(find_section(read_page("reference/options-and-files.md"), "### Features"))
    assert rows.keys() - {"--features", "---|---|---|---"} == set(EXTRACTORS)
    for name in EXTRACTORS:
        assert rows[name][1] == str(choose_image_size(name))


def test_every_algorithm_plot_and_reason_has_its_row() -> None:
    text = read_page("reference/options-and-files.md")
    for heading, head, known in (
        ("### Algorithms", "--algorithm", Algorithm),
        ("### Plots", "plot", PlotName),
        ("### failures.csv", "reason", FailureReason),
    ):
        rows = find_rows(find_section(text, heading)).keys()
        assert rows - {head, "---|---"} == set(map(str, known)), heading


def test_every_column_and_field_has_its_row() -> None:
    text = read_page("reference/options-and-files.md")
    for heading, model in (
        ("### labels.csv", Assignment),
        ("### duplicates.csv", Duplicate),
        ("### job.json", Summary),
        ("### The status of a job", Status),
    ):
        rows = find_rows(find_section(text, heading)).keys()
        assert rows - {"column", "field", "---|---"} == names(model), heading
    assert all(f"`{n}`" in find_section(text, "### failures.csv") for n in names(Failure))
    assert all(f"`{n}`" in find_section(text, "### job.json") for n in names(DuplicateCounts))
    assert all(f"`{state}`" in text for state in State)


def test_python_has_all_methods_and_errors() -> None:
    text = find_section(read_page("reference/api-and-metrics.md"), "## Python")
    for known in (Client, Job, Model):
        rows = find_rows(find_section(text, f"### {known.__name__}"))
        shown = {name.partition("(")[0] for name in rows} - {"method", "---|---"}
        kinds = (inspect.isfunction, inspect.ismethod)  # ismethod: of the class itself
        public = {name for kind in kinds for name, _ in inspect.getmembers(known, kind)}
        assert shown == {name for name in public if not name.startswith("_")}, known
    errors = find_rows(find_section(text, "### Errors")).keys() - {"error", "---|---"}
    assert errors == set(shoal.__all__) - {"Client", "Job", "Model", "undo"}
    signature = inspect.signature(Client)
    assert all(f"{name}=" in text for name in signature.parameters)


def test_every_route_has_its_row_and_no_other() -> None:
    section = find_section(read_page("reference/api-and-metrics.md"), "## HTTP")
    cells = re.findall(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \|", section, re.MULTILINE)
    shown = {(path, method) for path, methods in cells for method in methods.split(", ")}
    assert shown == set(find_routes())


def find_routes() -> Iterator[tuple[str, str]]:
    """Yield the path and the method of every route of the site."""
    # Nothing asks the site for anything before there is a request.
    site: Any = SimpleNamespace(access=None)
    app: Any = make_gated_app(site).app
    yield str(app.openapi_url), "GET"
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield path, method.upper()
    routers: list[APIRouter] = [part.router for part in (*WEB_PAGES, health)]
    for router in routers:
        for route in router.routes:
            for method in route.methods:  # type: ignore[attr-defined]
                yield route.path, method  # type: ignore[attr-defined]


def test_every_metric_has_its_row_with_its_labels_and_no_other() -> None:
    section = find_section(read_page("reference/api-and-metrics.md"), "## Metrics")
    rows = find_rows(section, head="metric | labels | is")
    rows.pop("---|---|---", None)
    metrics = read_metrics()
    assert rows.keys() == metrics.keys()
    for name, metric in metrics.items():
        labels = {label for sample in metric.samples for label in sample.labels} - {"le"}
        assert set(re.findall(r"(?:^|; )`(\w+)`", rows[name][0])) == labels, name


def read_metrics() -> dict[str, Metric]:
    """Return the metrics of a page with one worker, by name, but those of its own process."""
    families = text_string_to_metric_families(make_page())
    named = {f"{f.name}_total" if f.type == "counter" else f.name: f for f in families}
    return {name: family for name, family in named.items() if name.startswith("shoal_")}


def test_the_map_of_folders_is_that_on_disk() -> None:
    text = find_section(read_page("explanation/architecture.md"), "## The folders")
    path, shown = list[str](), dict[str, str]()
    for line in text.partition("```text\n")[2].partition("\n```")[0].splitlines():
        indent, name, meaning = re.fullmatch(r"((?:  )*)([\w]+)/ +(\S.*)", line).groups()  # type: ignore[union-attr]
        path[len(indent) // 2 :] = [name]
        shown["/".join(path)] = meaning
    on_disk = {
        module.parent.relative_to(ROOT).as_posix()
        for part in ("producer", "shared", "worker")
        for module in (ROOT / part).rglob("*.py")
    }
    assert shown.keys() == on_disk
    assert list(shown) == sorted(shown)


def test_figures_are_those_that_the_benchmarks_wrote() -> None:
    page = read_page("explanation/figures.md")
    for (begin, end), table in make_tables().items():
        assert begin + table + end in page


def test_the_readme_promises_no_more_speed_than_was_measured() -> None:
    (row,) = (row for row in read("pipeline") if row["images"] == 20_000)
    assert "20,000 photographs at over 90 % of the rate" in (ROOT / "README.md").read_text()
    assert row["loading"] > 0.9


# What names an existing one of each kind.
KINDS = {
    "an extractor": re.compile(r"\blbp\b", re.IGNORECASE),
    "a plot": re.compile(r"\"variance\"|plot_variance|PlotName\.VARIANCE"),
    "an algorithm": re.compile(r"\"minibatch\"|\bMINIBATCH\b|\| minibatch |fit_minibatch"),
    "a stage": re.compile(r"\bLABELLING\b"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_contributing_names_every_file_that_one_more_of_a_kind_changes(kind: str) -> None:
    text = find_section((ROOT / "CONTRIBUTING.md").read_text(), f"## To add {kind}")
    shown = set(re.findall(r"`([\w./-]+\.\w+)`", text))
    files = [ROOT / "pyproject.toml", *(f for p in PARTS for f in (ROOT / p).rglob("*.*"))]
    sources = (f for f in files if f.suffix in {".py", ".lua", ".html", ".js", ".toml"})
    naming = {f.relative_to(ROOT).as_posix() for f in sources if KINDS[kind].search(f.read_text())}
    assert len(naming) > 3
    assert naming <= shown
