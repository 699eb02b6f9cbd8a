"""The plots of a job. None of them is worth the labels: each may be missing."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import UnreadableImageError
from shared.findings import CHOICE_PLOT
from worker.heartbeat import LeaseKeeper, Watchdog, WorkLostError
from worker.images import load_image
from worker.thumbnails import encode
from worker.workplace import Workplace

if TYPE_CHECKING:
    from worker.stages.finishing import Findings

logger = logging.getLogger(__name__)

TILE_PIXELS = 96
# Clusters in the contact sheet: each costs the decoding of its representatives.
MOST_CLUSTERS_SHOWN = 40
MOST_OUTLIERS = 8  # of those listed, as many as a cluster has representatives
GREY = np.full((TILE_PIXELS, TILE_PIXELS, 3), 128, np.uint8)


class Tiles:
    """Small pictures of images, each opened once; grey where one is gone since it was loaded."""

    def __init__(self, source: Path, workplace: Workplace, keeper: LeaseKeeper) -> None:
        self.source = source
        self.workplace = workplace
        self.keeper = keeper
        self.loaded: dict[str, NDArray[np.uint8]] = {}

    def pictures(self, paths: list[str]) -> dict[str, bytes]:
        """Return ``paths``, and all that were loaded before, as JPEG by path.

        Raises:
            WorkLostError: The job was cancelled or taken over meanwhile.
        """
        self.load([paths])
        return {path: encode(Image.fromarray(tile)) for path, tile in self.loaded.items()}

    def load(self, groups: list[list[str]]) -> list[list[NDArray[np.uint8]]]:
        """Return the pictures of each group of paths.

        Raises:
            WorkLostError: The job was cancelled or taken over meanwhile.
        """
        with Watchdog(self.workplace.settings.image_seconds) as watchdog:
            return [[self._load(path, watchdog) for path in paths] for paths in groups]

    def _load(self, path: str, watchdog: Watchdog) -> NDArray[np.uint8]:
        self.keeper.check()
        watchdog.watch()
        if path not in self.loaded:
            try:
                tile = load_image(self.source / path, TILE_PIXELS, self.workplace.limits)
            except UnreadableImageError:
                return GREY
            self.loaded[path] = tile
        return self.loaded[path]


def draw_plots(findings: "Findings", tiles: Tiles | None) -> dict[str, bytes]:
    """Return the plots as PNG, by name; without ``tiles``, no image is opened for them."""
    # Drawing takes long to import, and most processes never plot.
    from worker import plots

    def draw_contact_sheet() -> bytes:
        shown = [*findings.representatives[:MOST_CLUSTERS_SHOWN], findings.outliers[:MOST_OUTLIERS]]
        grey = [[GREY] * len(paths) for paths in shown]
        *typical, far = tiles.load(shown) if tiles else grey
        return plots.plot_contact_sheet(typical, findings.sizes, far)

    rows, sizes = findings.rows, findings.sizes
    ratio = findings.model.explained_variance_ratio
    points = np.stack([rows["pc1"], rows["pc2"]], axis=1)
    draws: dict[str, Callable[[], bytes]] = {}
    if choice := findings.choice:
        draws[CHOICE_PLOT] = lambda: plots.plot_choice(choice)
    return draw_each(
        draws
        | {
            "scatter": lambda: plots.plot_scatter(points, rows["label"], sizes, ratio),
            "contact-sheet": draw_contact_sheet,
            "sizes": lambda: plots.plot_sizes(sizes),
            "variance": lambda: plots.plot_variance(ratio),
        }
    )


def draw_each(draws: dict[str, Callable[[], bytes]]) -> dict[str, bytes]:
    """Return what each of ``draws`` returns, without those that fail."""
    drawn = {}
    for name, draw in draws.items():
        try:
            drawn[name] = draw()
        except WorkLostError:
            raise
        except Exception:
            # The labels are complete, and a job without one plot is better than none.
            logger.exception("plot could not be drawn", extra={"plot": name})
    return drawn
