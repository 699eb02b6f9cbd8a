"""A report of one job: one HTML file that opens anywhere, without a network."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from shlex import quote

from shared.jobs import Failure, Status, Summary

TITLES = {
    "contact-sheet": "Representatives of each cluster, nearest to its centroid first",
    "scatter": "First two principal components",
    "sizes": "Images in each cluster",
    "variance": "Explained variance",
}
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
table { border-collapse: collapse; } th, td { padding: .2rem 1rem .2rem 0; text-align: left; }
td.number { text-align: right; }
"""
FAILURES_SHOWN = 200


def make_report(
    status: Status, summary: Summary, failures: Sequence[Failure], plots: Mapping[str, bytes]
) -> str:
    """Return the report of a finished job as HTML."""
    images = status.images
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Shoal {escape(status.job_id)}</title><style>{STYLE}</style>",
        f"<h1>{images.loaded:,} images in {len(summary.clusters)} clusters</h1>",
        f"<p>{escape(status.request.source)}, job {escape(status.job_id)}</p>",
        *(make_figure(name, plots[name]) for name in TITLES if name in plots),
        make_clusters(summary),
        make_failures(failures),
        make_parameters(status, summary),
    ]
    return "\n".join(parts) + "</html>\n"


def make_figure(name: str, png: bytes) -> str:
    """Return one plot with its heading."""
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    return f"<h2>{TITLES[name]}</h2><img alt='{TITLES[name]}' src='{source}'>"


def make_clusters(summary: Summary) -> str:
    """Return the table of clusters."""
    rows = [
        (cluster.label, f"{cluster.size:,}", ", ".join(cluster.representatives[:3]))
        for cluster in summary.clusters
    ]
    return "<h2>Clusters</h2>" + make_table(("cluster", "images", "such as"), rows)


def make_failures(failures: Sequence[Failure]) -> str:
    """Return the failures, by reason and then each, as far as there is room."""
    if not failures:
        return "<h2>Failures</h2><p>None: every image was loaded.</p>"
    reasons = Counter(failure.reason.value for failure in failures).most_common()
    shown = [(f.path, f.reason.value, f.detail) for f in failures[:FAILURES_SHOWN]]
    more = len(failures) - len(shown)
    rest = f"<p>… and {more:,} more: see failures.csv.</p>" if more else ""
    counts = make_table(("reason", "images"), reasons)
    return f"<h2>Failures</h2>{counts}{make_table(('path', 'reason', 'detail'), shown)}{rest}"


def make_parameters(status: Status, summary: Summary) -> str:
    """Return what the result depends on, and the command that repeats it."""
    request = status.request
    command = (
        f"shoal run {quote(request.source)} --features {request.features}"
        f" --image-size {request.image_size} --components {summary.n_components}"
        f" --clusters {request.clusters} --algorithm {request.algorithm}"
        f" --random-state {request.random_state}"
    )
    versions = make_table(("package", "version"), summary.versions.items())
    fitted = f"<p>Fitted on {summary.rows_fitted:,} images; inertia {summary.inertia:,.1f}.</p>"
    choice = f"<p>Clusters: {escape(summary.choice.reason)}.</p>" if summary.choice else ""
    return f"<h2>How to repeat this</h2><pre>{escape(command)}</pre>{choice}{fitted}{versions}"


def make_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
