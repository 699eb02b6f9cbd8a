"""``shoal features``: the numbers by which a job compared its images, as a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import out_option, replace_option
from shoal.shared.errors import UsageError

if TYPE_CHECKING:
    from shoal.producer.export.vectors import VectorFormat

FORMATS: "tuple[VectorFormat, ...]" = ("npy", "parquet")


@click.command(cls=Command)
@click.argument("job")
@out_option("File: NAME.npy or NAME.parquet.  [default: features.npy]")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    help="Format.  [default: npy, or by --out]",
)
@click.option(
    "--coordinates", is_flag=True, help="Write principal components, which stay with the results."
)
@replace_option
def features(
    job: str, out: Path | None, file_format: str | None, coordinates: bool, force: bool
) -> None:
    """Write the features of each image of JOB as an array, for other programs.

    Features are kept for a day, coordinates as long as the results. NAME.paths.csv, beside
    NAME.npy, names the image of each row. For example: `shoal features last -o x.parquet`
    """
    from shoal.producer.export.vectors import check_vectors, write_vectors
    from shoal.producer.results import read_vectors
    from shoal.shared.store import Kind

    kind = Kind.COORDINATES if coordinates else Kind.FEATURES
    path = out or Path(f"{kind}.{file_format or FORMATS[0]}")
    chosen = _choose_format(path, file_format)
    check_vectors(path, chosen, force=force)
    with connect_client() as client:
        known = client.job(job)
        for written in write_vectors(known, read_vectors(known, kind), path, chosen, force=force):
            click.echo(written, color=True)  # else click takes escape sequences out


def _choose_format(path: Path, given: str | None) -> "VectorFormat":
    """Choose a format by the ending of a file, unless one is given.

    Raises:
        UsageError: The ending is of neither.
    """
    ending = path.suffix.lower().removeprefix(".")
    for name in FORMATS:
        if name == given or (not given and name == ending):
            return name
    if path == Path("-"):
        return FORMATS[0]
    raise UsageError(f"{path} ends neither in .npy nor in .parquet: give --format, too.")
