"""The cache: rows of images that were extracted before, found again by file or by content."""

from shoal.worker.stages.cache.opening import open_recall
from shoal.worker.stages.cache.recall import KnownRows, Recall

__all__ = ["KnownRows", "Recall", "open_recall"]
