"""Options and arguments that several commands share."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from shoal.shared.jobs import AUTO, DEFAULTS, Algorithm, Level, Recipe
from shoal.shared.recipe.features import EXTRACTORS

F = TypeVar("F", bound=Callable[..., Any])


def _parse_clusters(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> int | str | None:
    """Parse a number of clusters or ``auto``; None stays None.

    Raises:
        click.BadParameter: It is neither.
    """
    if value is None or value == AUTO:
        return value
    try:
        return int(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number nor {AUTO}") from error


_CLUSTER_OPTIONS = [
    click.option(
        "--clusters",
        callback=_parse_clusters,
        help=f"Number of clusters, or auto to choose it.  [default: {DEFAULTS.clusters}]",
    ),
    *(
        click.option(
            f"--{level.value}",
            "level",
            flag_value=level.value,
            help=f"With auto: the {level.value} number, if one is nearly as good.",
        )
        for level in Level
    ),
    click.option(
        "--algorithm",
        type=click.Choice([algorithm.value for algorithm in Algorithm]),
        help=f"Clustering algorithm.  [default: {DEFAULTS.algorithm}]",
    ),
]

_JOB_OPTIONS = [
    click.option(
        "--recipe",
        type=click.Choice([recipe.value for recipe in Recipe]),
        help="Options that belong together: tutorial is pixels, 2 components, 5 clusters."
        " What you give beside it counts more.",
    ),
    click.option(
        "--features",
        help=f"What to compare images by: {', '.join(EXTRACTORS)}, or several: hog+color."
        f"  [default: {DEFAULTS.features}]",
    ),
    click.option(
        "--image-size",
        type=int,
        help="Width and height in pixels that images are resized to."
        "  [default: what suits the features]",
    ),
    click.option("--components", type=int, help="Principal components.  [default: up to 50]"),
    *_CLUSTER_OPTIONS,
    click.option(
        "--random-state",
        type=int,
        help="Seed: the same folder and options give the same labels."
        f"  [default: {DEFAULTS.random_state}]",
    ),
    click.option("--batch-size", type=int, help="Images per task.  [default: suits the images]"),
    click.option(
        "--renumber",
        is_flag=True,
        help="Number clusters by size, not as in the last job of this folder.",
    ),
    click.option(
        "--keep-model",
        is_flag=True,
        help="Use the model of the last job of this folder: no fit, no new clusters.",
    ),
    click.option(
        "--no-cache",
        "cache",
        is_flag=True,
        flag_value=False,
        default=None,
        help="Load every image anew, also those that earlier jobs have loaded.",
    ),
]


def job_options(command: F) -> F:
    """Add the options of a job to a command."""
    return _add(_JOB_OPTIONS, command)


def cluster_options(command: F) -> F:
    """Add those options of a job that say how clusters are found."""
    return _add(_CLUSTER_OPTIONS, command)


def _add(options: Sequence[Callable[[F], F]], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


_RUN_AGAIN = "Run again even if this folder was already clustered with these options"
force_option = click.option("--force", is_flag=True, help=f"{_RUN_AGAIN}.")
run_force_option = click.option(
    "--force", is_flag=True, help=f"{_RUN_AGAIN}, and replace any files in the way of --out."
)
replace_option = click.option("--force", is_flag=True, help="Replace any files in the way.")


def _show_notes(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    """Print what the client notes beside its messages."""
    if value:
        from shoal.producer.cli.printing import NoteHandler  # as in ``main``

        producer = logging.getLogger("shoal.producer")
        producer.addHandler(NoteHandler())
        producer.setLevel(logging.INFO)


verbose_option = click.option(
    *("-v", "--verbose"),
    is_flag=True,
    expose_value=False,
    callback=_show_notes,
    help="Also say what memory the job needs, however much there is.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
concurrency_option = click.option(
    "--concurrency",
    type=click.IntRange(1),
    help="Number of processes.  [default: one per core]",
)


class NonEmptyPath(click.Path):
    """A path that must not be empty: a shell makes that of a variable that is not set."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the path; fail if it is empty."""
        if value == "":
            self.fail("it is empty; the current directory is '.'", param, ctx)
        return super().convert(value, param, ctx)


_SOURCE = [
    click.argument("source", nargs=-1, required=True, type=NonEmptyPath(path_type=str)),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out what this pattern matches, as in .gitignore. May be repeated.",
    ),
    click.option("--column", help="Column of a CSV or Parquet file that has the paths."),
]


def source_argument(command: F) -> F:
    """Add what says which images a command is about: SOURCE, and what of it is left out."""
    return _add(_SOURCE, command)


def out_option(meaning: str) -> Callable[[F], F]:
    """Make the option that says where to write."""
    names = ("-o", "--out", "--output", "out")
    return click.option(*names, type=NonEmptyPath(path_type=Path), help=meaning)
