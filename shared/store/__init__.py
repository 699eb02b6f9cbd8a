"""The store: every Redis key, and every change to it.

``keys`` names the keys, ``registry`` lists all jobs, ``ledger`` is the truth about one job's
progress, ``results`` holds what its stages store, and ``expiry`` lets all of that expire.
``sessions`` are those of the page.
"""

from shoal.shared.store.batches import Commit
from shoal.shared.store.expiry import Expiry, Lifetimes
from shoal.shared.store.ledger import Lease, Ledger
from shoal.shared.store.registry import Origin, Registry
from shoal.shared.store.results import Results
from shoal.shared.store.sessions import EndedSessions
from shoal.shared.store.tally import Tally

__all__ = [
    "Commit",
    "EndedSessions",
    "Expiry",
    "Lease",
    "Ledger",
    "Lifetimes",
    "Origin",
    "Registry",
    "Results",
    "Tally",
]
