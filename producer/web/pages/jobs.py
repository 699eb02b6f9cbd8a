"""The pages of jobs: all jobs, one job, one cluster, failures, the report and the map."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from shoal.producer.job import Job
from shoal.producer.report import make_map_page, make_report
from shoal.producer.report.figures import PLOT_TITLES
from shoal.producer.results.catalogue import Catalogue
from shoal.producer.submission.defaults import choose_features
from shoal.producer.web.access.gate import POLICY
from shoal.producer.web.api.downloads import REPORT_POLICY, FileName
from shoal.producer.web.api.events import JOBS_PER_PAGE
from shoal.producer.web.api.results import Label
from shoal.producer.web.pages.gallery import Number, Picture, Slice, show_images
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import JobDep, Site, SiteDep, StatusDep
from shoal.shared.findings import NOISE, ClusterSummary
from shoal.shared.jobs import DEFAULTS, Algorithm, Level, Recipe, State, Status
from shoal.shared.recipe.features import list_features

CLUSTERS_PER_PAGE = 20
IMAGES_PER_PAGE = 60
FAILURES_PER_PAGE = 100
SHOWN_OF_CLUSTER = 8
SHOWN_OUTLIERS = 16

# For the one page that has a frame: the map.
FRAMING_POLICY = f"{POLICY}; frame-src 'self'"

DOWNLOADS: dict[FileName, str] = {
    "report.html": "Report",
    "labels.csv": "Labels, CSV",
    "labels.json": "Labels, JSON",
    "labels.parquet": "Labels, Parquet",
    "failures.csv": "Failures, CSV",
    "duplicates.csv": "Duplicates, CSV",
    "model.npz": "Model",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_jobs(site: SiteDep, number: Number = 1) -> Response:
    """All jobs, newest first, and the form for a new one."""
    part = Slice(number, JOBS_PER_PAGE, len(site.client.registry.jobs()))
    statuses = list(site.client.jobs(part.start, part.size))
    return Page(
        "jobs.html",
        statuses=statuses,
        part=part,
        features=list_features(),
        defaults=replace(DEFAULTS, features=choose_features()),
        recipes=list(Recipe),
        algorithms=list(Algorithm),
        levels=list(Level),
        is_idle=any(_lacks_workers(site, status) for status in statuses),
        **shared_values(site),
    )


@router.get("/jobs/{job_id}")
def show_job(site: SiteDep, job: JobDep, status: StatusDep, number: Number = 1) -> Response:
    """One job: its progress, and its results once it has finished."""
    found = _collect_results(site, job, number) if status.state is State.FINISHED else None
    is_idle = _lacks_workers(site, status)
    page = Page("job.html", status=status, found=found, is_idle=is_idle, **shared_values(site))
    page.headers["Content-Security-Policy"] = FRAMING_POLICY
    return page


@router.get("/jobs/{job_id}/clusters/{label}")
def show_cluster(
    site: SiteDep, job: JobDep, status: StatusDep, label: Label, number: Number = 1
) -> Response:
    """The images of a cluster, nearest to its centroid first."""
    summary = job.summary()
    sizes = {cluster.label: cluster.size for cluster in summary.clusters} | {NOISE: summary.noise}
    names = {cluster.label: cluster.name for cluster in summary.clusters}
    part = Slice(number, IMAGES_PER_PAGE, sizes.get(label, 0))
    members = site.catalogue(job).members(label, part.start, part.size)
    return Page(
        "cluster.html",
        status=status,
        label=label,
        name=names.get(label, ""),
        members=members,
        part=part,
        **shared_values(site),
    )


@router.get("/jobs/{job_id}/failures")
def show_failures(site: SiteDep, job: JobDep, status: StatusDep, number: Number = 1) -> Response:
    """The images that could not be used, with the reasons."""
    part = Slice(number, FAILURES_PER_PAGE, status.images.failed)
    failures = list(islice(job.failures(), part.start, part.start + part.size))
    return Page("failures.html", status=status, failures=failures, part=part, **shared_values(site))


@router.get("/jobs/{job_id}/report")
def show_report(job: JobDep) -> Response:
    """The report, in a sandboxed origin."""
    return _respond_sandboxed(make_report(job))


@router.get("/jobs/{job_id}/map")
def show_map(job: JobDep) -> Response:
    """Only the map, in a sandboxed origin: the job's page shows it in a frame."""
    return _respond_sandboxed(make_map_page(job))


def _respond_sandboxed(html: bytes) -> Response:
    """Answer with a document that has inline scripts and that our pages may frame."""
    headers = {"Content-Security-Policy": REPORT_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(html, headers=headers, media_type="text/html; charset=utf-8")


def shared_values(site: Site) -> dict[str, Any]:
    """Return the values that the templates of all pages need."""
    return {"is_private": site.access.token is not None}


def _lacks_workers(site: Site, status: Status) -> bool:
    """Return whether a job has work but no worker is running."""
    return not (status.state.is_final or site.client.workers.are_running())


def _collect_results(site: Site, job: Job, number: int) -> dict[str, Any]:
    """Collect what the page of a finished job shows of its results."""
    summary, catalogue = job.summary(), site.catalogue(job)
    part = Slice(number, CLUSTERS_PER_PAGE, len(summary.clusters))
    available = job.plots()
    return {
        "summary": summary,
        "part": part,
        "clusters": list(_show_clusters(catalogue, summary.clusters[part.start : part.end])),
        "outliers": show_images(catalogue, summary.outliers[:SHOWN_OUTLIERS], summary.copies),
        "plots": {name: title for name, title in PLOT_TITLES.items() if name in available},
        "downloads": DOWNLOADS,
    }


def _show_clusters(
    catalogue: Catalogue, clusters: Sequence[ClusterSummary]
) -> Iterator[tuple[ClusterSummary, list[Picture]]]:
    """Yield clusters with pictures of their most typical images."""
    for cluster in clusters:
        shown = cluster.representatives[:SHOWN_OF_CLUSTER]
        yield cluster, show_images(catalogue, shown, cluster.copies)
