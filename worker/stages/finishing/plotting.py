"""The plots of a job. Each may be missing: a plot that fails must not cost the labels."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from PIL import Image

from shoal.shared.errors import SourceError, SourceUnavailableError, UnreadableImageError
from shoal.shared.findings import ClusterChoice, PlotName
from shoal.shared.images.files import StrPath
from shoal.shared.images.values import UNKNOWN, ValueRanges
from shoal.shared.jobs import State
from shoal.worker import Checkpoint
from shoal.worker.images.preview import is_transparent, load_picture
from shoal.worker.images.thumbnails import encode
from shoal.worker.memory import limit_memory
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.watchdog import Watchdog
from shoal.worker.stages.finishing.findings import REPRESENTATIVES, Findings, Shown

logger = logging.getLogger(__name__)

# Small pictures, by the path of their image.
Tiles: TypeAlias = dict[str, Image.Image]
Draw: TypeAlias = Callable[[], Image.Image]

# Of the longer side.
PICTURE_PIXELS = 192
SMALL_PIXELS = 64


def load_tiles(
    paths: Iterable[str],
    read: Callable[[str], StrPath],
    context: WorkerContext,
    checkpoint: Checkpoint,
    ranges: ValueRanges = UNKNOWN,
) -> Tiles:
    """Load small pictures of images, in their form, without those that cannot be loaded any more.

    No other thread may need much memory meanwhile: that of images is limited for all of them.
    ``ranges`` are those of the features; ``read`` returns what a decoder reads of an image.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    tiles, settings = {}, context.settings
    limits = replace(context.limits, find_ranges=lambda: ranges)
    for path in dict.fromkeys(paths):
        checkpoint()
        # A file that has grown since may be too large to be read.
        with suppress(UnreadableImageError, MemoryError):
            try:
                image = read(path)
            except (SourceError, SourceUnavailableError) as error:
                logger.warning("pictures are missing: %s", error)
                break
            with Watchdog(settings.image_seconds), limit_memory(settings.image_memory):
                tiles[path] = load_picture(image, PICTURE_PIXELS, limits)
    return tiles


def encode_tiles(tiles: Tiles) -> dict[str, bytes]:
    """Encode tiles as JPEG."""
    return {path: _encode_tile(tile) for path, tile in tiles.items()}


def _encode_tile(tile: Image.Image) -> bytes:
    # Pictures that are small are shown enlarged, with what JPEG does to them.
    quality = 95 if max(tile.size) <= SMALL_PIXELS else 75
    return encode(tile, quality, tile.info.get("comment"))


def draw_plots(findings: Findings, shown: Shown, tiles: Tiles, pool: Executor) -> dict[str, bytes]:
    """Draw the plots as PNG, by name; those that fail are left out.

    Args:
        findings: What is drawn.
        shown: What the contact sheet shows.
        tiles: For the contact sheet; grey stands for those missing.
        pool: Encodes one plot while the next is drawn here: matplotlib draws one at a time.
    """
    job_id = findings.results.job_id
    with _only_a_plot("all", job_id):
        # matplotlib is slow to import, and most processes never plot.
        from shoal.worker import plots

        with plots.default_style():
            draws = _choose_draws(findings, shown, tiles)
            return _draw_each(draws, lambda picture: pool.submit(plots.encode_png, picture), job_id)
    return {}


def list_plots(choice: ClusterChoice | None) -> list[PlotName]:
    """List the plots that a job has if none fails."""
    return [name for name in PlotName if choice or name is not PlotName.CHOICE]


def _choose_draws(findings: Findings, shown: Shown, tiles: Tiles) -> dict[PlotName, Draw]:
    from shoal.worker import plots

    def make_tile(path: str) -> plots.Tile:
        picture, copies = tiles.get(path), shown.copies.get(path, 0)
        # Drawings reach to their edges: nothing of them is cut off.
        return plots.Tile(picture, copies, is_whole=bool(picture and is_transparent(picture)))

    def plot_contact_sheet() -> Image.Image:
        outliers = shown.outliers[:REPRESENTATIVES]  # a row as long as those of clusters
        *typical, far = ([make_tile(path) for path in row] for row in [*shown.in_sheet(), outliers])
        return plots.plot_contact_sheet(typical, findings.sizes, far, findings.names)

    rows, sizes, names = findings.rows, findings.sizes, findings.names
    noise = len(rows) - int(sizes.sum())
    ratio = findings.model.explained_variance_ratio
    points = np.stack([rows["pc1"], rows["pc2"]], axis=1)
    # The slowest to encode comes first: it is encoded while the others are drawn.
    draws: dict[PlotName, Draw] = {
        PlotName.CONTACT_SHEET: plot_contact_sheet,
        PlotName.SCATTER: lambda: plots.plot_scatter(points, rows["label"], sizes, ratio, names),
        PlotName.VARIANCE: lambda: plots.plot_variance(ratio),
        PlotName.SIZES: lambda: plots.plot_sizes(sizes, names, noise),
    }
    if choice := findings.choice:
        draws[PlotName.CHOICE] = lambda: plots.plot_choice(choice)
    return draws


def _draw_each(
    draws: Mapping[PlotName, Draw], encode: Callable[[Image.Image], Future[bytes]], job_id: str
) -> dict[str, bytes]:
    """Draw and encode each plot; those that fail are left out."""
    encoding, plots = dict[PlotName, Future[bytes]](), dict[str, bytes]()
    for name, draw in draws.items():
        with _only_a_plot(name, job_id):
            encoding[name] = encode(draw())
    for name, png in encoding.items():
        with _only_a_plot(name, job_id):
            plots[name.value] = png.result()
    return plots


@contextmanager
def _only_a_plot(name: str, job_id: str) -> Iterator[None]:
    """Log what fails here and go on: the labels are complete, and worth more than a plot."""
    try:
        yield
    except Exception:
        logger.exception(
            "plot could not be drawn", extra={"job": job_id, "stage": State.FINISHING, "plot": name}
        )
