"""The page of duplicates: images that are copies or look alike, side by side."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import attrgetter

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.results.catalogue import Catalogue
from shoal.producer.web.pages.gallery import Number, Picture, Slice
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, SiteDep, StatusDep
from shoal.shared.findings import Duplicate, Turn

GROUPS_PER_PAGE = 20
SHOWN_OF_GROUP = 12

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/duplicates")
def show_duplicates(site: SiteDep, job: JobDep, status: StatusDep, number: Number = 1) -> Response:
    """The duplicates of a job, group by group."""
    counts = job.summary().duplicates
    part = Slice(number, GROUPS_PER_PAGE, counts.groups if counts else 0)
    found = islice(split_groups(job.duplicates()), part.start, part.end) if counts else iter(())
    groups = [(len(group), _show_group(site.catalogue(job), group)) for group in found]
    return Page(
        "duplicates.html",
        status=status,
        counts=counts,
        groups=groups,
        part=part,
        **shared_values(site),
    )


def split_groups(duplicates: Iterable[Duplicate]) -> Iterator[list[Duplicate]]:
    """Split duplicates, which are sorted by group, into their groups."""
    for _, group in groupby(duplicates, key=attrgetter("group")):
        yield list(group)


def _show_group(catalogue: Catalogue, group: list[Duplicate]) -> list[Picture]:
    """Show the first images of a group, each with its relation to the others."""
    firsts: dict[int, str] = {}
    return [
        Picture(catalogue.number(image.path), image.path, describe_relation(image, firsts))
        for image in group[:SHOWN_OF_GROUP]
    ]


def describe_relation(image: Duplicate, firsts: dict[int, str]) -> str:
    """Describe how an image relates to the others of its group.

    Args:
        image: The image.
        firsts: First path of each content in the group so far; this image is added.
    """
    first = firsts.setdefault(image.content, image.path)
    if first != image.path:
        return f"a copy of {first}"
    if len(firsts) == 1:
        return ""
    return f"looks like {image.like}" + (f", {show_turn(image.turn)}" if image.turn else "")


def show_turn(turn: Turn) -> str:
    """Say how an image lies, such as "turned 90°"."""
    return f"{turn}°" if turn[-1:].isdigit() else turn
