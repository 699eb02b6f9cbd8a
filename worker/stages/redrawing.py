"""Redrawing: the plots of a finished job get the names that its clusters have now.

All that is drawn is stored: neither the folder of the job nor its features are needed.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import chain

from PIL import Image

from shoal.shared.errors import NotFinishedError
from shoal.shared.findings import Summary
from shoal.shared.palette import choose_named
from shoal.shared.store import OutdatedPlots
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.finishing.findings import Findings, Shown
from shoal.worker.stages.finishing.plotting import Tiles, draw_plots

logger = logging.getLogger(__name__)


def redraw_plots(context: WorkerContext, job_id: str) -> None:
    """Draw the plots of a job again, unless that is done already.

    Messages may be many, and several processes may draw at once: what has later names counts.
    """
    outdated = OutdatedPlots(context.client, job_id)
    drawing = outdated.begin()
    if drawing is None:
        return
    results = context.results(job_id)
    try:
        summary = results.summary()
        findings = Findings(results, FittedModel.from_bytes(results.model()), summary.choice)
    except NotFinishedError:  # it has expired, or is retried: then its plots are drawn anyway
        return
    shown, tiles = _read_shown(summary), _decode(results.pictures())
    with ThreadPoolExecutor(1) as pool:  # encodes plots
        plots = draw_plots(findings, shown, tiles, pool)
    counts = outdated.put(drawing, plots)
    logger.info("plots drawn again", extra={"job": job_id, "counts": counts})


def _read_shown(summary: Summary) -> Shown:
    """Read from a summary which images are shown."""
    clusters = summary.clusters
    copies = chain(summary.copies.items(), *(cluster.copies.items() for cluster in clusters))
    return Shown(
        representatives=[cluster.representatives for cluster in clusters],
        cluster_outliers=[cluster.outliers for cluster in clusters],
        outliers=summary.outliers,
        copies=dict(copies),
        named=choose_named([cluster.size for cluster in clusters]),
    )


def _decode(pictures: Mapping[str, bytes]) -> Tiles:
    return {path: Image.open(BytesIO(jpeg)) for path, jpeg in pictures.items()}
