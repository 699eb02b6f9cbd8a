"""Finishing: sizes, representatives, outliers and plots, once every batch is labelled."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shoal.shared.jobs import Stage, State
from shoal.shared.store import Lease
from shoal.worker.model.model import Model
from shoal.worker.runtime.heartbeat import LeaseKeeper
from shoal.worker.runtime.workplace import Workplace
from shoal.worker.stages.callback import run_callback
from shoal.worker.stages.finishing.copies import count_copies, search_copies
from shoal.worker.stages.finishing.findings import Findings
from shoal.worker.stages.finishing.plotting import draw_plots, encode_tiles, load_tiles

# Beside the one that draws: to search for copies, and to encode plots.
THREADS = 2


def finish_job(workplace: Workplace, job_id: str) -> None:
    """Sum up and plot what the job found, and end it."""
    ledger = workplace.ledger(job_id)
    results = workplace.results(job_id)

    def work(lease: Lease, keeper: LeaseKeeper) -> None:
        choice = results.choice()
        findings = Findings(results, Model.from_bytes(results.model()), choice)
        keeper.check()
        # A tile that kills the process costs the contact sheet its pictures, not the job.
        shown = findings.shown_paths() if lease.attempt == 1 else []
        # Before the search begins: it would be held to the memory of an image, too.
        tiles = load_tiles(shown, Path(ledger.request.source), workplace, keeper)
        with ThreadPoolExecutor(THREADS) as pool:
            searching = pool.submit(search_copies, findings, lease, keeper)
            plots = draw_plots(findings, tiles, pool)
            copies = searching.result()
        keeper.check()
        summary = findings.summary(None if copies is None else count_copies(copies))
        rows = b"" if copies is None else copies.tobytes()
        results.put_findings(lease.token, summary, plots, encode_tiles(tiles), rows)
        if not ledger.advance(lease, State.FINISHED, {"findings_token": lease.token}):
            keeper.give_up()
        workplace.sweeper.end_job(job_id)

    run_callback(workplace, job_id, Stage.LABELLING, work)
