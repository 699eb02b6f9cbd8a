"""The tasks: thin, one per stage. No image makes one fail: the ledger decides, not Celery."""

from typing import Any

from celery import Celery, Task

from shoal.shared.jobs import Wave
from shoal.shared.store import Commit
from shoal.shared.tasks import (
    DRAW_PLOTS,
    FINISH_JOB,
    FIT_JOB,
    LABEL_BATCH,
    LOAD_BATCH,
    PROJECT_IMAGES,
    SWEEP,
)
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages import fitting, labelling, projecting, redrawing
from shoal.worker.stages.finishing import finishing
from shoal.worker.stages.loading import loading


def add_tasks(app: Celery, context: WorkerContext) -> None:
    """Register the tasks at ``app``."""
    app.conf.worker_consumer = "shoal.worker.runtime.message_check:CheckingConsumer"

    @app.task(name=LOAD_BATCH, bind=True)
    def load_batch(task: "Task[Any, Any]", job_id: str, batch: int) -> int:
        """Load one batch of images."""
        commit = loading.load_batch(context, job_id, batch, _is_redelivered(task))
        return end_batch(commit, job_id, Wave.LOADING, batch)

    @app.task(name=LABEL_BATCH, bind=True)
    def label_batch(task: "Task[Any, Any]", job_id: str, batch: int) -> int:
        """Label one batch of features."""
        commit = labelling.label_batch(context, job_id, batch, _is_redelivered(task))
        return end_batch(commit, job_id, Wave.LABELLING, batch)

    def end_batch(commit: Commit, job_id: str, wave: Wave, batch: int) -> int:
        if commit is Commit.LAST:
            context.messages.send_callback(job_id, wave)
        return batch

    @app.task(name=FIT_JOB)
    def fit_job(job_id: str) -> None:
        """Fit the job's model once every batch is loaded."""
        # Features travel through the store: a chord's results are JSON, and Celery copies
        # all of them into this message.
        fitting.fit_job(context, job_id)

    @app.task(name=FINISH_JOB)
    def finish_job(job_id: str) -> None:
        """Sum up and plot once every batch is labelled."""
        finishing.finish_job(context, job_id)

    @app.task(name=PROJECT_IMAGES, bind=True)
    def project_images(task: "Task[Any, Any]", job_id: str, token: str) -> None:
        """Project new images that somebody searches by."""
        projecting.project_images(context, job_id, token, str(task.request.id))

    @app.task(name=DRAW_PLOTS)
    def draw_plots(job_id: str) -> None:
        """Draw the plots of a finished job again, as clusters have other names."""
        redrawing.redraw_plots(context, job_id)

    @app.task(name=SWEEP)
    def sweep() -> None:
        """Check all jobs: a chord has failed."""
        context.sweeper.sweep()


def _is_redelivered(task: "Task[Any, Any]") -> bool:
    """Return whether the broker delivered this message before, to a process that died."""
    return bool((task.request.delivery_info or {}).get("redelivered"))
