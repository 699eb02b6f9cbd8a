"""Notes: what to know about a result, for whoever looks at it."""

from collections.abc import Collection
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import NotFinishedError
from shoal.shared.findings import ClusterChoice, PlotName
from shoal.shared.jobs import AUTO, Algorithm, JobRequest, Level, Previous
from shoal.shared.store import Results
from shoal.shared.text import show_count
from shoal.worker.images.hashes import FLAT, HASH_DTYPE, LEAST_SIZE

# As many images of one colour, and as large a share of all, are worth a word.
MANY_PLAIN = 10
MANY_PLAIN_SHARE = 0.1


def describe_missing_plots(drawn: Collection[str], wanted: Collection[PlotName]) -> list[str]:
    """Say which plots could not be drawn, if any."""
    missing = [name.value for name in wanted if name not in drawn]
    if not missing:
        return []
    return [f"Plots that could not be drawn: {', '.join(missing)}. The workers' log says why."]


def describe_missing_duplicates(is_missing: bool) -> list[str]:
    """Say that the search for duplicates failed, if it did."""
    if not is_missing:
        return []
    return ["The search for duplicates failed. The workers' log says why."]


def describe_plain_images(results: Results, image_size: int) -> list[str]:
    """Say that many images show nothing but one colour, if so: they may not be what they seem."""
    if image_size < LEAST_SIZE:  # no image has a hash
        return []
    total = plain = 0
    with suppress(NotFinishedError):  # by a worker of another version
        for raw in results.hashes():
            hashes = np.frombuffer(raw, HASH_DTYPE)["perceptual"]
            total += len(hashes)
            plain += int((hashes == FLAT).sum())
    if plain < MANY_PLAIN or plain < MANY_PLAIN_SHARE * total:
        return []
    return [
        f"{plain:,} of {show_count(total, 'image')} are of nearly one colour each: look at some of"
        " them, if they should not be."
    ]


def describe_fewer_clusters(request: JobRequest, n_clusters: int) -> list[str]:
    """Say that there are fewer clusters than were asked for, if so."""
    wanted = request.clusters
    if request.algorithm is Algorithm.HDBSCAN or wanted == AUTO or n_clusters >= wanted:
        return []
    found = show_count(n_clusters, "cluster")
    return [f"{found}, not the {wanted} asked for: the images do not differ enough for more."]


def describe_previous(request: JobRequest, previous: Previous | None, n_clusters: int) -> list[str]:
    """Say what is new since the job before, and how many clusters have the numbers from there."""
    if request.model_of:
        return [f"Labels come from the model of job {request.model_of}: no cluster is new."]
    if previous is None:
        return []
    job_id = previous.job_id
    if previous.n_shared is None and request.keep_model:
        return [f"The model of job {job_id} is kept: no cluster is new."]
    if previous.n_shared is None:
        return [f"Clusters are numbered by size: what job {job_id} found before has expired."]
    since = f"{previous.n_new:,} new, {previous.n_gone:,} gone since job {job_id}"
    if request.keep_model:
        return [f"{since}; its model is kept: no cluster is new."]
    return [f"{since}; {previous.n_matched} of {n_clusters} clusters keep their numbers."]


def describe_far(request: JobRequest, far: NDArray[np.bool_] | None) -> list[str]:
    """Say how many images are far from every cluster of another job's model.

    Args:
        request: What was asked for.
        far: Whether each image is; None if the model does not say.
    """
    if not request.takes_model:
        return []
    if far is None:
        return ["The model does not say how far its clusters reach: no image is flagged as far."]
    if not (n_far := int(far.sum())):
        return []
    images = show_count(len(far), "image")
    return [
        f"{n_far:,} of {images} {'is' if n_far == 1 else 'are'} farther from every cluster than the"
        " images that the model was fitted on: they may show something new (column `far`)."
    ]


def describe_choice(request: JobRequest, choice: ClusterChoice | None) -> list[str]:
    """Say which other numbers of clusters there are, and whether the chosen one is a guess."""
    if choice is None:
        return []
    notes = []
    if not choice.stands_out:
        notes.append(
            "No number of clusters stands out: these are a way to look through the images, not"
            " groups that they have."
        )
    numbers = {Level.COARSER: choice.coarser, Level.FINER: choice.finer}
    if request.level:
        if not numbers[request.level]:
            notes.append(f"There is no {request.level} level that is nearly as good.")
    elif offered := [f"{number} ({level})" for level, number in numbers.items() if number]:
        notes.append(f"Numbers of clusters that are nearly as good: {' and '.join(offered)}.")
    return notes
