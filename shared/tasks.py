"""The names of tasks and queues, and the number of what programs agree on that use them.

The producer sends tasks by name, so that it need not import the worker.

The *protocol* is what programs of different versions that share one Redis must agree on. Its number
changes whenever a program of the version before would misread, or spoil, what one of this version
writes or sends. It covers

- names and arguments of tasks, and the form of messages,
- keys and fields of a job, and what the scripts do with them,
- the form of what a job stores: manifest, rows, shards, model, summary, failures,
- what a request may ask for: an option that an earlier worker would pass over gives other labels.

Workers of two versions may load batches of one job. So whoever changes ``RESULTS_VERSION``, after
which images get other rows, also raises the number, and leaves those before out of ``KNOWN``.

A job keeps the number under which it was submitted. The cache has a number of its own: rows of
another form are looked up elsewhere (``worker/stages/cache/keys.py``).

What every version may rely on, whatever the number: the hash of a job is ``shoal:{JOB}:job``, with
the fields ``state``, ``protocol`` and ``version``; ``shoal:jobs`` has the ids of all jobs, and
``shoal:workers`` the names of all workers.
"""

from shoal.shared.jobs import Wave

PROTOCOL = 2
# Of jobs that have no number.
FIRST = 1
# Those of the jobs that this version reads, works on and looks after, each in its own form. The
# forms of 1 are those of 2, but for what a request may ask for.
KNOWN = (FIRST, PROTOCOL)

LOAD_BATCH = "shoal.load_batch"
LABEL_BATCH = "shoal.label_batch"
FIT_JOB = "shoal.fit_job"
FINISH_JOB = "shoal.finish_job"
PROJECT_IMAGES = "shoal.project_images"
DRAW_PLOTS = "shoal.draw_plots"
SWEEP = "shoal.sweep"


def _name_queue(kind: str, protocol: int) -> str:
    return f"shoal.{kind}" if protocol == FIRST else f"shoal.{protocol}.{kind}"


# By what waits there, then by protocol. Callbacks are apart, so that a small job's fit does not
# wait behind a large job's batches; protocols, so that no worker receives what it does not know.
QUEUES = {
    kind: {protocol: _name_queue(kind, protocol) for protocol in KNOWN}
    for kind in ("batches", "callbacks")
}
BATCHES, CALLBACKS = (names[PROTOCOL] for names in QUEUES.values())

# Header of a message; one of protocol 1 has none.
PROTOCOL_HEADER = "shoal_protocol"

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
