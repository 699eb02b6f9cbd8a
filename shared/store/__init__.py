"""The store: every Redis key, and every change to it.

``keys`` names them, ``registry`` knows all jobs, ``ledger`` is the truth about one job's
progress, and ``results`` holds what the stages of one job leave behind.
"""

from shared.store.ledger import Commit, Lease, Ledger
from shared.store.registry import Registry
from shared.store.results import Lifetimes, Results

__all__ = ["Commit", "Lease", "Ledger", "Lifetimes", "Registry", "Results"]
