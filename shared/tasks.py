"""The names of tasks and queues.

The producer sends tasks by name, so that it need not import the worker.
"""

from shoal.shared.jobs import Wave

LOAD_BATCH = "shoal.load_batch"
LABEL_BATCH = "shoal.label_batch"
FIT_JOB = "shoal.fit_job"
FINISH_JOB = "shoal.finish_job"
PROJECT_IMAGES = "shoal.project_images"
DRAW_PLOTS = "shoal.draw_plots"
SWEEP = "shoal.sweep"

BATCHES = "shoal.batches"
# A separate queue, so that a small job's fit does not wait behind a large job's batches.
CALLBACKS = "shoal.callbacks"

# How the line begins in which a worker says why it ends; who started it looks for that line.
REFUSAL = "The worker cannot start: "

BATCH_TASK = {Wave.LOADING: LOAD_BATCH, Wave.LABELLING: LABEL_BATCH}
CALLBACK_TASK = {Wave.LOADING: FIT_JOB, Wave.LABELLING: FINISH_JOB}

# Priorities by the number of a batch in its job; 0 goes first. So the batches of a small job go
# before most of a large one's, however many of those are waiting already.
PRIORITIES = {0: 0, 16: 3, 128: 6, 1024: 9}


def priority_of(batch: int) -> int:
    """Return the priority of a batch's message; the smallest goes first."""
    return next(p for start, p in reversed(PRIORITIES.items()) if batch >= start)
