"""The job before: by which the clusters of a folder that has grown are numbered."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shoal.producer.submission.fingerprint import SOON_SECONDS, encode_options
from shoal.shared.errors import UsageError
from shoal.shared.jobs import STDIN, JobRequest, State, Status
from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.shared.recipe.fit import follows_tutorial


def make_series(request: JobRequest) -> str:
    """Hash what was given and all options that say what its clusters are, whatever images it has.

    Returns:
        The hash; "" for images that were listed on standard input, which names nothing.
    """
    if STDIN in request.inputs:
        return ""
    essential = replace(request, batch_size=None, renumber=False, keep_model=False, cache=True)
    if request.inputs:
        # The folder that all images of a list are in may be another with the next ones.
        essential = replace(essential, source="")
    return hashlib.sha256(encode_options(essential)).hexdigest()


def needs_previous(request: JobRequest) -> bool:
    """Return whether a job's labels depend on the job before.

    The tutorial's labels are those of scikit-learn, whatever was there before.
    """
    if request.model_of or request.coordinates_of:
        return False
    return request.keep_model or not (request.renumber or follows_tutorial(request))


def check_version(job_id: str, given: Mapping[str, str]) -> None:
    """Check that the model of a job is for features as this version makes them.

    Args:
        job_id: Id of that job.
        given: Its fields that go with its model.

    Raises:
        UsageError: Another version made it, and its features may differ.
    """
    if given.get("results_version") != str(RESULTS_VERSION):
        raise UsageError(
            f"The model of job {job_id} was made by another version of Shoal, whose features may"
            " differ: submit its folder again with `force=True`, then use the new job."
        )


def find_previous(statuses: Iterable[Status], request: JobRequest, now: float) -> str:
    """Find the job before among those of the same series.

    Args:
        statuses: Statuses of the jobs of the series, the one submitted last first.
        request: Of the new job.
        now: Time on the server's clock, in seconds since 1970, like the times of jobs.

    Returns:
        The id of the first one that has finished and does not expire soon; "" if there is none.

    Raises:
        UsageError: There is none, and its model is needed.
    """
    for status in statuses:
        expires_at = status.expires_at or now + 2 * SOON_SECONDS
        if status.state is State.FINISHED and expires_at >= now + SOON_SECONDS:
            return status.job_id
    if request.keep_model:
        raise UsageError(
            "No job with a model that could be kept: none has finished for this folder with these"
            " options, or it has expired. Leave `keep_model=True` out."
        )
    return ""
