"""The page of duplicates: side by side with what one decides by, and moving those not kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from shoal.producer.duplicates.decisions import DecidedDuplicate, Decision, KeepRule, Kind
from shoal.producer.duplicates.keeper import Keeper
from shoal.producer.job import Job
from shoal.producer.organizing import Action
from shoal.producer.report.text import show_turn
from shoal.producer.results.catalogue import Catalogue
from shoal.producer.web.api.duplicates import READING
from shoal.producer.web.pages.commands import make_move_command
from shoal.producer.web.pages.destinations import list_places, look_at, suggest_place
from shoal.producer.web.pages.gallery import Number, Picture, Slice
from shoal.producer.web.pages.layout import shared_values
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep, only_some
from shoal.shared.errors import SourceError
from shoal.shared.findings import Duplicate, DuplicateCounts
from shoal.shared.jobs import Status
from shoal.shared.text import show_bytes

GROUPS_PER_PAGE = 20
SHOWN_OF_GROUP = 12
# So few files are all read for the numbers of the whole job without being asked for.
FEW_IMAGES = 100
RULES = {
    KeepRule.LARGEST: "the one with the most pixels",
    KeepRule.FIRST: "the first by its path",
    KeepRule.NEWEST: "the one changed last",
}
DECISIONS = {
    Decision.KEEP: "kept",
    Decision.SAME_FILE: "the kept file itself, by a link",
    Decision.CHANGED: "changed since",
    Decision.MISSING: "not there any more",
    Decision.UNREADABLE: "cannot be read",
}


@dataclass(frozen=True)
class Rule:
    """What decides about duplicates, and where to those go that are not kept.

    Attributes:
        keep: Which one of each group is kept.
        exact: Whether only files of the same bytes count.
        total: Whether all files are read for the numbers of the whole job.
        directory: Where the others shall go; empty if that was not said.
    """

    keep: KeepRule = KeepRule.LARGEST
    exact: bool = False
    total: bool = False
    directory: str = ""


@dataclass(frozen=True)
class Candidate:
    """An image of a group as the page shows it.

    Attributes:
        picture: The image, and how it relates to the others.
        size: Its pixels and bytes; empty if they are not known.
        modified_at: When its file changed last; 0 if that is not known.
        decision: What becomes of it; empty if it would be moved, or nothing was decided.
    """

    picture: Picture
    size: str = ""
    modified_at: float = 0.0
    decision: str = ""


router = APIRouter(include_in_schema=False)


async def _read_rule(
    keep: KeepRule = KeepRule.LARGEST,
    exact: bool = False,
    total: bool = False,
    directory: Annotated[str, Query(max_length=4096)] = "",
) -> Rule:
    return Rule(keep, exact, total, directory.strip())


@router.get("/jobs/{job_id}/duplicates")
def show_duplicates(
    site: SiteDep,
    job: JobDep,
    status: StatusDep,
    rule: Annotated[Rule, Depends(_read_rule)],
    number: Number = 1,
) -> Response:
    """The duplicates of a job, group by group, and which one of each is kept."""
    counts = job.summary().duplicates
    decided = _decide(site, job, rule, number) if counts else {}
    if counts and not decided:
        decided = _list_undecided(site, job, counts, number)
    place = look_at(site, job, rule.directory or _suggest(site, status))
    others = list_places(site, job, Action.MOVE_DUPLICATES)
    return Page(
        "duplicates.html",
        status=status,
        counts=counts,
        rule=rule,
        rules=RULES,
        place=place,
        roots=site.client.settings.organize_roots,
        command=make_move_command(job.id, place.directory, rule.keep, exact=rule.exact),
        others=[other for other in others if other != place.directory],
        **decided,
        **shared_values(site),
    )


def _suggest(site: Site, status: Status) -> str:
    return suggest_place(site, Path(status.request.source), "-duplicates")


def _decide(site: Site, job: Job, rule: Rule, number: int) -> dict[str, Any]:
    """Decide about the groups of one slice, and if asked for about all.

    Returns:
        The values that the template needs; none if the files are not on this machine.
    """
    catalogue, settings = site.catalogue(job), site.client.settings
    try:
        keeper = Keeper(job, rule.keep, settings, exact=rule.exact)
    except SourceError:
        return {}
    with only_some(site.readings, READING), keeper:
        part = Slice(number, GROUPS_PER_PAGE, keeper.count_groups())
        groups = list(keeper.decide_groups(part.start, part.size))
        few = sum(map(len, groups)) <= FEW_IMAGES and part.last == 1
        plan = job.plan_duplicates(rule.keep, exact=rule.exact) if rule.total or few else None
    shown = [(group[0].group, len(group), _show_decided(catalogue, group)) for group in groups]
    return {"part": part, "groups": shown, "plan": plan, "is_here": True}


def _show_decided(catalogue: Catalogue, group: Sequence[DecidedDuplicate]) -> list[Candidate]:
    """Show the first images of a group; the one that is kept comes first."""
    first = sorted(group, key=lambda one: one.decision is not Decision.KEEP)
    return [_show_candidate(catalogue, one) for one in first[:SHOWN_OF_GROUP]]


def _show_candidate(catalogue: Catalogue, one: DecidedDuplicate) -> Candidate:
    pixels = f"{one.width:,} × {one.height:,}" if one.width else ""
    size = " · ".join(filter(None, (pixels, show_bytes(one.size_bytes) if one.size_bytes else "")))
    decision, number = DECISIONS.get(one.decision, ""), catalogue.number(one.path)
    if one.decision is Decision.KEEP:
        picture = Picture(number, one.path, copies=decision)
    else:
        picture = Picture(number, one.path, _describe_kind(one))
    return Candidate(picture, size, one.modified_at, decision)


def _describe_kind(one: DecidedDuplicate) -> str:
    if one.kind is Kind.EXACT:
        return "same bytes as another"
    return show_turn(one.turn) if one.turn else "looks alike"


def _list_undecided(site: Site, job: Job, counts: DuplicateCounts, number: int) -> dict[str, Any]:
    """List the groups of one slice as the job has found them, without a look at the files."""
    part = Slice(number, GROUPS_PER_PAGE, counts.groups)
    found = islice(split_groups(job.duplicates()), part.start, part.end)
    catalogue = site.catalogue(job)
    groups = [(group[0].group, len(group), _show_group(catalogue, group)) for group in found]
    return {"part": part, "groups": groups, "plan": None, "is_here": False}


def split_groups(duplicates: Iterable[Duplicate]) -> Iterator[list[Duplicate]]:
    """Split duplicates, which are sorted by group, into their groups."""
    for _, group in groupby(duplicates, key=attrgetter("group")):
        yield list(group)


def _show_group(catalogue: Catalogue, group: list[Duplicate]) -> list[Candidate]:
    """Show the first images of a group, each with its relation to the others."""
    firsts: dict[int, str] = {}
    return [
        Candidate(
            Picture(catalogue.number(image.path), image.path, describe_relation(image, firsts))
        )
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
