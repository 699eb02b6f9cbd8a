"""Names of clusters: which may be given, and which clusters are one group by them."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace

from shoal.shared.errors import UsageError
from shoal.shared.findings import ClusterGroup, ClusterSummary, Summary
from shoal.shared.text import show_controls

MOST_CHARACTERS = 100


def check_names(names: Mapping[int, str], summary: Summary) -> dict[int, str]:
    """Return names as they are stored: without space around them, composed (Unicode's NFC).

    Clusters of one name are one group, in whatever case; the name is spelt as it is in the group.

    Args:
        names: By label; "" takes a name away.
        summary: Of the job, with the names that there are.

    Raises:
        UsageError: There is no such cluster, or a name cannot be used.
    """
    there = {cluster.label: cluster.name for cluster in summary.clusters}
    cleaned = {label: _clean(name) for label, name in names.items()}
    if unknown := [label for label in cleaned if label not in there]:
        raise UsageError(
            f"There is no cluster {unknown[0]!r}: they are numbered 0 to {len(there) - 1}."
        )
    others = (name for label, name in there.items() if label not in cleaned)
    spellings = dict[str, str]()
    for name in (*others, *cleaned.values()):
        spellings.setdefault(name.casefold(), name)
    return {label: spellings[name.casefold()] for label, name in cleaned.items()}


def _clean(name: str) -> str:
    if not isinstance(name, str):
        raise UsageError(f"A name is a text, and not {name!r}.")
    cleaned = unicodedata.normalize("NFC", name.strip())
    if show_controls(cleaned) != cleaned:
        raise UsageError(f"The name {name!r} has characters that cannot be shown.")
    if len(cleaned) > MOST_CHARACTERS:
        raise UsageError(
            f"A name has at most {MOST_CHARACTERS} characters, and {name[:20]!r}… has"
            f" {len(cleaned)}."
        )
    return cleaned


def with_names(summary: Summary, names: Mapping[int, str]) -> Summary:
    """Return a summary in which clusters have their names, and are groups by them."""
    if not names:
        return summary
    clusters = [replace(each, name=names.get(each.label, "")) for each in summary.clusters]
    groups = [
        ClusterGroup(
            name=group[0].name,
            labels=[each.label for each in group],
            size=sum(each.size for each in group),
        )
        for group in group_clusters(clusters)
        if group[0].name
    ]
    return replace(summary, clusters=clusters, groups=groups)


def group_clusters(clusters: Iterable[ClusterSummary]) -> list[list[ClusterSummary]]:
    """Group clusters by their names, in the order of the first of each group.

    A cluster without a name is a group of its own.
    """
    groups = dict[str | int, list[ClusterSummary]]()
    for each in clusters:
        # As file systems of Windows and macOS compare names.
        groups.setdefault(each.name.casefold() or each.label, []).append(each)
    return list(groups.values())
