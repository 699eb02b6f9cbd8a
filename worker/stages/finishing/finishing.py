"""Finishing: sizes, representatives, outliers and plots, once every batch is labelled."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shoal.shared.jobs import State, Wave
from shoal.shared.store import Lease
from shoal.worker.model.model import Model
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import LeaseKeeper
from shoal.worker.stages.callback import run_callback
from shoal.worker.stages.finishing.duplicates import count_duplicates, search_duplicates
from shoal.worker.stages.finishing.findings import Findings
from shoal.worker.stages.finishing.plotting import draw_plots, encode_tiles, load_tiles

# Beside the one that draws: to search for duplicates, and to encode plots.
THREADS = 2


def finish_job(context: WorkerContext, job_id: str) -> None:
    """Sum up and plot what the job found, and end it."""
    ledger = context.ledger(job_id)
    results = context.results(job_id)

    def work(lease: Lease, keeper: LeaseKeeper) -> None:
        choice = results.choice()
        findings = Findings(results, Model.from_bytes(results.model()), choice)
        keeper.check()
        # A tile that kills the process costs the contact sheet its pictures, not the job.
        shown = findings.shown_paths() if lease.attempt == 1 else []
        # Before the search begins: it would be held to the memory of an image, too.
        tiles = load_tiles(shown, Path(ledger.request.source), context, keeper)
        with ThreadPoolExecutor(THREADS) as pool:
            searching = pool.submit(search_duplicates, findings, lease, keeper)
            plots = draw_plots(findings, tiles, pool)
            duplicates = searching.result()
        keeper.check()
        summary = findings.summary(None if duplicates is None else count_duplicates(duplicates))
        rows = b"" if duplicates is None else duplicates.tobytes()
        results.put_findings(lease.token, summary, plots, encode_tiles(tiles), rows)
        if not ledger.advance(lease, State.FINISHED, {"findings_token": lease.token}):
            keeper.give_up()
        context.sweeper.end_job(job_id)

    run_callback(context, job_id, Wave.LABELLING, work)
