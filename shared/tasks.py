"""The names of tasks and queues.

Tasks are signed by name, so that the producer imports nothing of the worker.
"""

from shared.jobs import Stage

LOAD_BATCH = "shoal.load_batch"
LABEL_BATCH = "shoal.label_batch"
FIT_JOB = "shoal.fit_job"
FINISH_JOB = "shoal.finish_job"
SWEEP = "shoal.sweep"

BATCHES = "shoal.batches"
# Of its own, so that a small job's fit does not wait behind a large job's batches.
CALLBACKS = "shoal.callbacks"

BATCH_TASK = {Stage.LOADING: LOAD_BATCH, Stage.LABELLING: LABEL_BATCH}
CALLBACK_TASK = {Stage.LOADING: FIT_JOB, Stage.LABELLING: FINISH_JOB}
