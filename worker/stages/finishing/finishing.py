"""Finishing: sizes, representatives, outliers and plots, once every batch is labelled."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shoal.shared.jobs import State, Wave
from shoal.worker.model.model import Model
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.callback import hold_lease
from shoal.worker.stages.finishing.duplicates import count_duplicates, search_duplicates
from shoal.worker.stages.finishing.findings import Findings
from shoal.worker.stages.finishing.plotting import draw_plots, encode_tiles, load_tiles

# Beside the one that draws: to search for duplicates, and to encode plots.
THREADS = 2


def finish_job(context: WorkerContext, job_id: str) -> None:
    """Sum up and plot what the job found, and end it."""
    with hold_lease(context, job_id, Wave.LABELLING) as held:
        if held is None:
            return
        results = context.results(job_id)
        findings = Findings(results, Model.from_bytes(results.model()), results.choice())
        held.checkpoint()
        # A tile that kills the process costs the contact sheet its pictures, not the job.
        shown = findings.shown_paths() if held.attempt == 1 else []
        # Before the search begins: it would be held to the memory of an image, too.
        tiles = load_tiles(shown, Path(held.ledger.request.source), context, held.checkpoint)
        with ThreadPoolExecutor(THREADS) as pool:
            searching = pool.submit(search_duplicates, findings, held.attempt, held.checkpoint)
            plots = draw_plots(findings, tiles, pool)
            duplicates = searching.result()
        held.checkpoint()
        summary = findings.summary(None if duplicates is None else count_duplicates(duplicates))
        rows = b"" if duplicates is None else duplicates.tobytes()
        results.put_findings(held.token, summary, plots, encode_tiles(tiles), rows)
        held.advance(State.FINISHED, findings_token=held.token)
        context.sweeper.end_job(job_id)
