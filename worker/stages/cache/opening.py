"""Opening the cache for a batch."""

from shoal.shared.errors import UsageError
from shoal.shared.store import Ledger
from shoal.worker.extractors import find_extractors
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.cache.keys import name_folder
from shoal.worker.stages.cache.recall import CachedRecall, Recall
from shoal.worker.stages.cache.row_cache import find_cache


def open_recall(context: WorkerContext, ledger: Ledger, attempt: int, *, is_retry: bool) -> Recall:
    """Open what the cache knows of a batch; nothing where the job or the worker does without it.

    Args:
        context: Of the worker.
        ledger: Of the job.
        attempt: At the batch.
        is_retry: Whether images that failed are to be tried again.
    """
    request, settings, cache = ledger.request, context.settings, find_cache(context)
    if cache is None or not request.cache:
        return Recall()
    try:
        extractors = find_extractors(request.features, settings.embedding_model)
    except UsageError:
        return Recall()  # whoever extracts says what is missing
    folder = name_folder(extractors, request.image_size, context.limits, settings.image_memory)
    lookup = cache.find_lookup(folder, ledger.job_id, attempt)
    if lookup is None:
        return Recall()
    return CachedRecall(cache, lookup, with_failures=not is_retry)
