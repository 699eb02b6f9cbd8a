"""The figures of the README, from what the other benchmarks wrote.

``python -m benchmarks.table`` writes them into the README, between their markers.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks import FIGURES

KINDS = {
    "child": "a process of a pool killed",
    "point": "a process killed at a chosen point",
    "worker": "a whole worker killed",
    "redis": "Redis killed and started again",
    "cut": "a connection cut",
}

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"

BEGIN_QUALITY, END_QUALITY = "<!-- quality -->\n", "<!-- end of quality -->\n"


def read(name: str) -> Any:
    """Return the figures that the benchmark ``name`` wrote."""
    return json.loads((FIGURES / f"{name}.json").read_text())


def percent(share: float) -> str:
    """Return a share in percent."""
    return f"{share * 100:.0f} %"


def make_fault_line() -> str:
    """Return what the last run of the fault benchmark came to, in words."""
    faults = read("faults")
    kinds = ", ".join(f"{faults['faults'].get(kind, 0)} × {words}" for kind, words in KINDS.items())
    return (
        f"In {faults['jobs']} jobs of 300 batches under fire, {sum(faults['faults'].values())}"
        f" faults were injected: {kinds}. {faults['images_accounted_for']:,} of"
        f" {faults['images']:,} images were accounted for, once each, and"
        f" {faults['jobs_with_equal_labels']} of {faults['jobs']} jobs had the labels of an"
        " undisturbed one."
    )


def make_quality_table() -> str:
    """Return the scores of each extractor on each set, the best of a set in bold."""
    scores = read("quality")
    sets = list(next(iter(scores.values())))
    best = {name: max(row[name] for row in scores.values()) for name in sets}
    lines = [f"| `--features` | {' | '.join(sets)} |", "|---" * (len(sets) + 1) + "|"]
    for features, row in scores.items():
        cells = (f"**{row[n]:.2f}**" if row[n] == best[n] else f"{row[n]:.2f}" for n in sets)
        lines.append(f"| `{features}` | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def make_table() -> str:
    """Return the figures as Markdown."""
    pipeline, origin, commands = read("pipeline"), read("origin"), read("commands")
    rows = [
        f"| {row['images']:,} | {percent(row['loading'])} | {percent(row['labels'])}"
        f" | {percent(row['finished'])} | {row['pool_images_per_second']:,} |"
        for row in pipeline
    ]
    heads = [
        "| photographs | loading | to stored labels | to the end, with plots | pool, images/s |",
        "|---|---|---|---|---|",
    ]
    commands_line = (
        f"`shoal --help` answers in {commands['help_seconds']:.2f} s, `shoal status` in"
        f" {commands['status_seconds']:.2f} s, and a folder of 100,000 images is submitted in"
        f" {commands['submit_100000_seconds']:.1f} s."
    )
    reports = [
        f"{row['points']:,} images ({row['megabytes']:.1f} MB) opens in {row['open_seconds']:.1f} s"
        f" and follows the pointer at {row['frames_per_second']} frames a second"
        for row in read("report")
    ]
    report_line = f"A report of {', one of '.join(reports)}."
    extractors = [
        f"{percent(row['share'])} with `{features}` ({row['images_per_second']:,} images a second)"
        for features, row in read("extractors").items()
    ]
    extractors_line = (
        "Loading with other features, as a share of a pool that extracts the same:"
        f" {', '.join(extractors)}."
    )
    origin_line = (
        f"A job of {origin['images']:,} photographs takes"
        f" 1/{origin['times_the_origin']:.0f} of the tutorial's script, image by image."
    )
    return "\n".join(
        [
            *heads,
            *rows,
            "",
            extractors_line,
            origin_line,
            commands_line,
            report_line,
            "",
            make_fault_line(),
            "",
        ]
    )


def main() -> None:
    """Write the tables into the README."""
    text = README.read_text()
    for (begin, end), table in make_tables().items():
        before, _, rest = text.partition(begin)
        text = before + begin + table + end + rest.partition(end)[2]
    README.write_text(text)


def make_tables() -> dict[tuple[str, str], str]:
    """Return each table by the two lines that it stands between."""
    return {(BEGIN, END): make_table(), (BEGIN_QUALITY, END_QUALITY): make_quality_table()}


if __name__ == "__main__":
    main()
