"""Whether images fail because this machine cannot reach them: then not they are at fault."""

import os
from collections.abc import Iterator, Sequence
from socket import gethostname

from shoal.shared.errors import UnreadableImageError, UsageError, show_call
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import is_bare
from shoal.shared.sources.paths import is_url
from shoal.shared.store import Ledger
from shoal.shared.store.rows import FailedImage
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.loading.rows import Remainder

# Images of other batches that are looked up before a worker says that it may read none.
SAMPLES = 8


def check_source(
    context: WorkerContext, ledger: Ledger, part: Remainder, failures: Sequence[FailedImage]
) -> None:
    """Check that images did not fail because this machine cannot reach the source.

    Raises:
        UsageError: All images of all batches would fail here: the folder is not mounted, the
            archive is not there, or the bucket refuses this worker.
    """
    source, reasons = ledger.request.source, [failure.reason for failure in failures]
    if is_url(source):
        has_none = len(failures) == len(part.paths) and FailureReason.NO_PERMISSION in reasons
        if has_none and _is_denied(context, ledger):
            problem = f"{source} may not be read on {gethostname()}: give it credentials that may"
            raise _refused(ledger, problem)
    elif FailureReason.MISSING in reasons and _is_away(source):
        raise _refused(
            ledger, f"{source} is missing or empty on {gethostname()}: mount it there at this path"
        )


def _refused(ledger: Ledger, problem: str) -> UsageError:
    return UsageError(
        f"{problem}, or stop the workers there, then retry the job"
        f" ({show_call(ledger.job_id, 'retry')})"
    )


def _is_away(source: str) -> bool:
    """Return whether nothing is at a path: an archive is no folder."""
    return is_bare(source) and not os.path.isfile(source)  # noqa: PTH113  any bytes


def _is_denied(context: WorkerContext, ledger: Ledger) -> bool:
    """Return whether this worker may read no image of other batches either."""
    from shoal.shared.sources.reading import SourceReader

    reader = SourceReader(ledger.request.source, context.settings)
    for path in _sample_paths(context, ledger):
        try:
            reader.find(path)
        except UnreadableImageError as error:
            if error.reason is FailureReason.NO_PERMISSION:
                continue
        return False
    return True


def _sample_paths(context: WorkerContext, ledger: Ledger) -> Iterator[str]:
    """Yield an image, or the archive that it is in, of some batches."""
    results = context.results(ledger.job_id)
    n_batches = results.n_batches()
    for batch in range(0, n_batches, max(1, n_batches // SAMPLES)):
        locations = results.locations(batch)
        if locations and locations[0].archive:
            yield "" if locations[0].archive == "." else locations[0].archive
        else:
            yield results.paths(batch)[0]
