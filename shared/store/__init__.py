"""The store: every Redis key, and every change to it.

``keys`` names them, ``registry`` knows all jobs, ``ledger`` is the truth about one job's
progress, ``results`` holds what the stages of one job leave behind, and ``expiry`` ends it.
``sessions`` are the page's.
"""

from shared.store.batches import Commit
from shared.store.expiry import Expiry, Lifetimes
from shared.store.ledger import Lease, Ledger
from shared.store.registry import Registry
from shared.store.results import Results
from shared.store.sessions import EndedSessions
from shared.store.tally import Tally

__all__ = [
    "Commit",
    "EndedSessions",
    "Expiry",
    "Lease",
    "Ledger",
    "Lifetimes",
    "Registry",
    "Results",
    "Tally",
]
