"""The form for a new job: the words of its fields, and what stands in them at first."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shoal.producer.job import Job
from shoal.producer.submission.defaults import choose_features, describe_lack
from shoal.producer.web.api.submission import OtherClusters, Submission
from shoal.shared.errors import OptionError
from shoal.shared.jobs import DEFAULTS, RECIPES, STDIN, Algorithm, JobRequest, State, Status
from shoal.shared.recipe.features import EXTRACTORS, choose_image_size, list_features
from shoal.shared.store import Kind

# Jobs whose folders are offered again, and how many of these as buttons.
RECENT_JOBS = 50
RECENT_SHOWN = 4
# Titles of the features that ship, and what each is good for.
CARDS = {
    "embedding": ("What they show", "Photographs: people, places, animals, things. The slowest."),
    "color": ("Colours", "Which colours there are, wherever they are. Fast."),
    "hog": ("Shapes and drawings", "Outlines without colour: letters, icons, sketches."),
    "lbp": ("Textures", "Fine patterns: fabrics, wood, stone, tissue."),
    "pixels": ("Pixels", "Images of one layout, place by place, as in the tutorial. The fastest."),
}
COMBINATIONS = ("embedding+hog", "embedding+color", "hog+color")
ALGORITHMS = {
    Algorithm.KMEANS: "for most images",
    Algorithm.MINIBATCH: "for hundreds of clusters of very many images",
    Algorithm.HDBSCAN: "may leave images in no cluster",
}


@dataclass(frozen=True, kw_only=True)
class FeatureCard:
    """Features that one can choose by a card.

    Attributes:
        features: Their name.
        title: What they compare.
        purpose: What they are good for.
        lack: Why they cannot be used here, with the remedy; "" if they can.
    """

    features: str
    title: str
    purpose: str
    lack: str = ""


@dataclass(frozen=True, kw_only=True)
class Again:
    """A job that is to be repeated with other options.

    Attributes:
        job_id: Its id.
        values: Its options, as of ``Submission``; None where Shoal chooses.
        images: What its images are called: "this folder", or a part of another job.
        can_recluster: Whether its images can be clustered again without being loaded.
    """

    job_id: str
    values: dict[str, Any]
    images: str
    can_recluster: bool


def describe_form(statuses: Iterable[Status], again: Again | None) -> dict[str, Any]:
    """Describe the form for its template.

    Args:
        statuses: Of the newest jobs.
        again: What to repeat; None is an empty form.
    """
    given = [s.request.given[0] for s in statuses if len(s.request.given) == 1]
    recent = list(dict.fromkeys(one for one in given if one != STDIN and _is_text(one)))
    others = [name for name in list_features() if name not in EXTRACTORS]
    return {
        "cards": _list_cards(),
        "combinations": [*COMBINATIONS, *others],
        "chosen": choose_features(),
        "recent": recent,
        "recent_shown": recent[:RECENT_SHOWN],
        "recipes": RECIPES,
        "algorithms": ALGORITHMS,
        "clusters_alone": list(OtherClusters.model_fields),
        "defaults": DEFAULTS,
        "again": again,
    }


def repeat(job: Job) -> Again:
    """Describe a job for the form, so that some of its options can be changed.

    Raises:
        UnknownJobError: There is no such job.
    """
    status = job.status()
    request = status.request
    values = {name: getattr(request, name, None) for name in Submission.model_fields}
    values |= {"force": False, "image_size": _show_image_size(request)}
    if not all(map(_is_text, request.given)) or STDIN in request.given:
        values["source"] = ""  # JSON cannot hold it, or it named nothing
    elif request.inputs:
        values["source"] = request.inputs[0] if len(request.inputs) == 1 else request.inputs
    is_there = status.state is State.FINISHED and bool(job.results.shards.names(Kind.COORDINATES))
    return Again(
        job_id=job.id,
        values=values,
        images=request.images_of or "this folder",
        can_recluster=is_there,
    )


def _list_cards() -> list[FeatureCard]:
    lack = describe_lack()
    return [
        FeatureCard(
            features=features,
            title=title,
            purpose=purpose,
            lack=lack if features == DEFAULTS.features else "",
        )
        for features, (title, purpose) in CARDS.items()
    ]


def _show_image_size(request: JobRequest) -> int | None:
    """Return the size of the images; None if it is what suits the features."""
    with suppress(OptionError):  # of a package that is not installed here any more
        if request.image_size == choose_image_size(request.features):
            return None
    return request.image_size


def _is_text(path: str) -> bool:
    """Return whether JSON can hold a path: one that is UTF-8."""
    return path.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in path)
