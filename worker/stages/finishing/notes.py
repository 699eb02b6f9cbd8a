"""Notes: what to know about a result, for whoever looks at it."""

from collections.abc import Collection

from shoal.shared.findings import PlotName
from shoal.shared.jobs import AUTO, Algorithm, JobRequest
from shoal.shared.text import show_count


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


def describe_fewer_clusters(request: JobRequest, n_clusters: int) -> list[str]:
    """Say that there are fewer clusters than were asked for, if so."""
    wanted = request.clusters
    if request.algorithm is Algorithm.HDBSCAN or wanted == AUTO or n_clusters >= wanted:
        return []
    found = show_count(n_clusters, "cluster")
    return [f"{found}, not the {wanted} asked for: the images do not differ enough for more."]
