"""The names of tasks and queues.

Tasks are signed by name, so that the producer imports nothing of the worker.
"""

from shoal.shared.jobs import Wave

LOAD_BATCH = "shoal.load_batch"
LABEL_BATCH = "shoal.label_batch"
FIT_JOB = "shoal.fit_job"
FINISH_JOB = "shoal.finish_job"
SWEEP = "shoal.sweep"

BATCHES = "shoal.batches"
# Of its own, so that a small job's fit does not wait behind a large job's batches.
CALLBACKS = "shoal.callbacks"

BATCH_TASK = {Wave.LOADING: LOAD_BATCH, Wave.LABELLING: LABEL_BATCH}
CALLBACK_TASK = {Wave.LOADING: FIT_JOB, Wave.LABELLING: FINISH_JOB}

# A batch's place in its job decides its priority, 0 first: so the first batches of a small job,
# which are all of them, go before the many of a large one, however long that one's queue is.
PRIORITIES = {0: 0, 16: 3, 128: 6, 1024: 9}


def priority_of(batch: int) -> int:
    """Return the priority of a batch's message; smaller numbers go first."""
    return next(p for start, p in reversed(PRIORITIES.items()) if batch >= start)
