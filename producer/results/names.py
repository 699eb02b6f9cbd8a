"""Names of clusters: which may be given, and where they are shown."""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from shoal.shared.errors import UsageError
from shoal.shared.findings import Summary
from shoal.shared.text import show_controls

MOST_CHARACTERS = 100


def check_names(names: Mapping[int, str], summary: Summary) -> dict[int, str]:
    """Return names as they are stored: without space around them, composed (Unicode's NFC).

    Args:
        names: By label; "" takes a name away.
        summary: Of the job, with the names that there are.

    Raises:
        UsageError: There is no such cluster, a name cannot be used, or two would have the same.
    """
    there = {cluster.label: cluster.name for cluster in summary.clusters}
    cleaned = {label: _clean(name) for label, name in names.items()}
    if unknown := [label for label in cleaned if label not in there]:
        raise UsageError(
            f"There is no cluster {unknown[0]!r}: they are numbered 0 to {len(there) - 1}."
        )
    taken = dict[str, int]()
    for label, name in (there | cleaned).items():
        if name and taken.setdefault(name.casefold(), label) != label:
            raise UsageError(
                f"Clusters {taken[name.casefold()]} and {label} would both be {name!r}: choose"
                " another name."
            )
    return cleaned


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
    """Return a summary in which clusters have their names."""
    if not names:
        return summary
    clusters = [replace(each, name=names.get(each.label, "")) for each in summary.clusters]
    return replace(summary, clusters=clusters)
