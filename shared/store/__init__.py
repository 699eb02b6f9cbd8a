"""The store: every Redis key, and every change to it.

``keys`` names the keys, ``registry`` lists all jobs, ``ledger`` is the truth about one job's
progress, ``results`` holds what its stages store, and ``expiry`` lets all of that expire.
``shards`` reads and writes what is large, which lies elsewhere; ``strays`` deletes there what does
not count. ``names`` are those of clusters, ``plots`` those that lack names given since,
``sessions`` those of the page, and ``workers`` those that work for this Redis.
``counts`` are for metrics, and ``backlog`` says what waits and runs.
"""

from shoal.shared.store.backlog import Backlog
from shoal.shared.store.counts import Counts
from shoal.shared.store.expiry import Expiry, Lifetimes
from shoal.shared.store.ledger import Lease, Ledger
from shoal.shared.store.names import ClusterNames
from shoal.shared.store.plots import OutdatedPlots
from shoal.shared.store.registry import Origin, Registry
from shoal.shared.store.results import Results
from shoal.shared.store.sessions import EndedSessions
from shoal.shared.store.shards import Commit, JobShards, Kind
from shoal.shared.store.sizes import StoredSizes, measure_results
from shoal.shared.store.strays import Strays
from shoal.shared.store.workers import (
    PoolProcess,
    Work,
    WorkerFacts,
    WorkerState,
    WorkerStatus,
)

__all__ = [
    "Backlog",
    "ClusterNames",
    "Commit",
    "Counts",
    "EndedSessions",
    "Expiry",
    "JobShards",
    "Kind",
    "Lease",
    "Ledger",
    "Lifetimes",
    "Origin",
    "OutdatedPlots",
    "PoolProcess",
    "Registry",
    "Results",
    "StoredSizes",
    "Strays",
    "Work",
    "WorkerFacts",
    "WorkerState",
    "WorkerStatus",
    "measure_results",
]
