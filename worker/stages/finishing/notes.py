"""Notes: what to know about a result, for whoever looks at it."""

from collections.abc import Collection

from shoal.shared.findings import PlotName


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
