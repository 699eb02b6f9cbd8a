"""Finishing: findings, duplicates and plots, once all batches are labelled."""

from concurrent.futures import ThreadPoolExecutor

from shoal.shared.images.values import AGREED_NAME, ValueRanges
from shoal.shared.jobs import State, Wave
from shoal.shared.store.images import JobImages
from shoal.worker.findings.copies import no_copies
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.callback import hold_lease
from shoal.worker.stages.finishing.duplicates import search_duplicates
from shoal.worker.stages.finishing.findings import Findings
from shoal.worker.stages.finishing.notes import (
    describe_choice,
    describe_far,
    describe_fewer_clusters,
    describe_missing_duplicates,
    describe_missing_plots,
    describe_plain_images,
    describe_previous,
)
from shoal.worker.stages.finishing.plotting import (
    draw_plots,
    encode_tiles,
    list_plots,
    load_tiles,
)


def finish_job(context: WorkerContext, job_id: str) -> None:
    """Summarize and plot what the job found, and end the job."""
    with hold_lease(context, job_id, Wave.LABELLING) as held:
        if held is None:
            return
        results = context.results(job_id)
        findings = Findings(results, FittedModel.from_bytes(results.model()), results.choice())
        held.checkpoint()
        # Not while tiles are loaded: it would be limited to the memory of an image, too.
        duplicates = search_duplicates(findings, held.attempt, held.checkpoint)
        shown = findings.choose_shown(duplicates.copies if duplicates else no_copies())
        # If a tile kills the process, the contact sheet loses its pictures, and the job goes on.
        others = duplicates.list_pictured(findings) if duplicates else []
        pictured = [*shown.paths(), *others] if held.attempt == 1 else []
        images = JobImages(results, held.ledger.request.source, context.settings)
        ranges = ValueRanges.from_text(held.ledger.agreed(AGREED_NAME))
        tiles = load_tiles(pictured, images.read, context, held.checkpoint, ranges)
        with ThreadPoolExecutor(1) as pool:  # encodes plots
            plots = draw_plots(findings, shown, tiles, pool)
        held.checkpoint()
        previous = held.ledger.status().previous
        notes = [
            *describe_previous(held.ledger.request, previous, len(findings.sizes)),
            *describe_far(held.ledger.request, findings.far),
            *describe_choice(held.ledger.request, findings.choice),
            *describe_fewer_clusters(held.ledger.request, len(findings.sizes)),
            *describe_plain_images(results, held.ledger.request.image_size),
            *describe_missing_plots(plots, list_plots(findings.choice)),
            *describe_missing_duplicates(duplicates is None),
        ]
        counts = duplicates.count() if duplicates else None
        summary = findings.summary(shown, counts, notes)
        rows = duplicates.rows.tobytes() if duplicates else b""
        results.put_findings(held.token, summary, plots, encode_tiles(tiles), rows)
        held.advance(State.FINISHED, findings_token=held.token)
        context.sweeper.end_job(job_id)
