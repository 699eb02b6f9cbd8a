"""The tables of ``docs/explanation/figures.md``, from what the other benchmarks wrote.

``python -m benchmarks.table`` writes them into that page, each between its markers.
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import FIGURES
from benchmarks.peers.tables import make_speed_table, make_yield_table
from benchmarks.worker_tables import make_cost_table, make_second_table, make_share_table
from shoal.shared.jobs import AUTO

KINDS = {
    "child": "a process of a pool killed",
    "point": "a process killed at a chosen point",
    "worker": "a whole worker killed",
    "redis": "Redis killed and started again",
    "cut": "a connection cut",
    "place": "the directory or bucket of shards taken away",
}

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "figures.md"


def read(name: str) -> Any:
    """Read the figures that the benchmark ``name`` wrote."""
    return json.loads((FIGURES / f"{name}.json").read_text())


def percent(share: float) -> str:
    """Write a share in percent."""
    return f"{share * 100:.0f} %"


def make_pipeline_table() -> str:
    """Make the table of whole jobs, as shares of a bare process pool."""
    lines = [
        "| photographs | loading | until labels are stored | until the end, with plots | pool |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['images']:,} | {percent(row['loading'])} | {percent(row['labels'])}"
        f" | {percent(row['finished'])} | {row['pool_images_per_second']:,} images/s |"
        for row in read("pipeline")
    ]
    return "\n".join([*lines, ""])


def make_bucket_table() -> str:
    """Make the table of a bucket whose answers take longer, beside the same without that."""
    lines = [
        "| photographs | answers later by | loading, of the rate without that | without | with |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['images']:,} | {row['delay_ms']:.0f} ms | {percent(row['share'])}"
        f" | {row['near_images_per_second']:,} images/s"
        f" | {row['far_images_per_second']:,} images/s |"
        for row in read("buckets")
    ]
    return "\n".join([*lines, ""])


def make_growing_table() -> str:
    """Make the table of a folder that grows: what the second job costs, and the first one more."""
    lines = [
        "| `--features` | known | new | share of the first job's time"
        " | more processor time in the first job |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row['features']}` | {row['known']:,} | {row['new']:,} | {percent(row['share'])}"
        f" | {row['overhead'] * 100:.1f} % |"
        for row in read("growing")
    ]
    return "\n".join([*lines, ""])


def make_extractor_table() -> str:
    """Make the table of extractors: speed of loading, and share of a bare process pool."""
    lines = ["| `--features` | images a second | share of the pool |", "|---|---|---|"]
    lines += [
        f"| `{features}` | {row['images_per_second']:,} | {percent(row['share'])} |"
        for features, row in read("extractors").items()
    ]
    return "\n".join([*lines, ""])


def make_quality_table() -> str:
    """Make the table of scores, each case on each set, the best of a set in bold, and the means.

    The sets of unequal classes, which are parts of others, do not count in the means.
    """
    figures = read("quality")
    cases = [name_case(score) for score in next(iter(figures.values()))["scores"]]
    lines = [f"| set | classes | {' | '.join(cases)} |", "|---" * (len(cases) + 2) + "|"]
    for name, row in figures.items():
        best = f"{max(score['nmi'] for score in row['scores']):.2f}"
        cells = " | ".join(write_score(score, best) for score in row["scores"])
        lines.append(f"| {name} | {row['classes']} | {cells} |")
    equal = [row["scores"] for name, row in figures.items() if not name.endswith("-unequal")]
    means = [fmean(score["nmi"] for score in case) for case in zip(*equal, strict=True)]
    cells = " | ".join(f"{mean:.2f}" for mean in means)
    return "\n".join([*lines, f"| mean of {len(equal)} | | {cells} |", ""])


def name_case(score: dict[str, Any]) -> str:
    """Name what was asked for; without a number, it is the number of classes."""
    return f"`{score['features']}`" + (f", {score['clusters']}" if score["clusters"] else "")


def write_score(score: dict[str, Any], best: str) -> str:
    """Write a score, and the number of clusters where it was chosen."""
    nmi = f"{score['nmi']:.2f}"
    words = f"**{nmi}**" if nmi == best else nmi
    return f"{words} ({score['found']})" if score["clusters"] == AUTO else words


def make_command_table() -> str:
    """Make the table of what takes how long: commands, and the tutorial's script beside a job."""
    commands, origin = read("commands"), read("origin")
    rows = {
        "`shoal --help`": f"{commands['help_seconds']:.2f} s",
        "`shoal status`": f"{commands['status_seconds']:.2f} s",
        "submitting a folder of 100,000 images": f"{commands['submit_100000_seconds']:.1f} s",
        f"a job of {origin['images']:,} photographs": (
            f"1/{origin['times_the_origin']:.0f} of the time of a script with scikit-image and"
            " scikit-learn, image by image"
        ),
    }
    lines = [f"| {what} | {time} |" for what, time in rows.items()]
    return "\n".join(["| | takes |", "|---|---|", *lines, ""])


def make_cold_table() -> str:
    """Make the table of small jobs."""
    cold = read("cold")
    images, times = f"{cold['images']:,} photographs", cold["times_the_imports"]
    rows = {
        f"`shoal run --recipe tutorial`, {images}": f"{times['tutorial']:.2f} × the imports",
        f"`shoal run`, {images}": f"{times['default']:.2f} × the imports",
        f"`shoal submit` and `shoal wait`, {cold['images_of_commands']:,} photographs": (
            f"{percent(cold['share_of_the_pool'])} of the pool's rate"
        ),
    }
    lines = [f"| {what} | {figure} |" for what, figure in rows.items()]
    return "\n".join(["| | takes, or reaches |", "|---|---|", *lines, ""])


def make_page_table() -> str:
    """Make the table of the page of a large job: how fast a browser shows it and its map."""
    lines = [
        "| images | server | first picture after | map can be used after |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['images']:,} | {words} | {row[f'{server}_picture_seconds']:.1f} s"
        f" | {row[f'{server}_map_seconds']:.1f} s |"
        for row in read("page")
        for server, words in (("cold", "has just started"), ("warm", "has shown it before"))
    ]
    return "\n".join([*lines, ""])


def make_report_table() -> str:
    """Make the table of reports: their size, and how fast a browser shows them."""
    lines = ["| images | size | opens in | frames a second while it is dragged |", "|---" * 4 + "|"]
    lines += [
        f"| {row['points']:,} | {row['megabytes']:.1f} MB | {row['open_seconds']:.1f} s"
        f" | {row['frames_per_second']} |"
        for row in read("report")
    ]
    return "\n".join([*lines, ""])


def make_search_table() -> str:
    """Make the table of searches: their time, and that as a ratio to a bare product."""
    lines = [
        "| images | a search | a bare product of the same size | times as long |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['images']:,} | {row['milliseconds']:.0f} ms | {row['product_milliseconds']:.1f} ms"
        f" | {row['times_the_product']:.1f} |"
        for row in read("search")
    ]
    return "\n".join([*lines, ""])


def make_found_table() -> str:
    """Make the table of variants of photographs that are found as duplicates of them."""
    lines = [
        "| variant | within 3 bits | found (8 bits) | mirrored or turned, found (3 bits) |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {variant} | {percent(row['copies'])} | {percent(row['near'])}"
        f" | {percent(row['turned'])} |"
        for variant, row in read("duplicates")["found"].items()
    ]
    return "\n".join([*lines, ""])


def make_pair_table() -> str:
    """Make the table of the pairs that are found among the images of sets."""
    lines = [
        "| set | images | pairs within 3 bits | pairs within 8 bits | further pairs, mirrored or"
        " turned |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['images']:,} | {row['copies']} | {row['near']} | {row['turned']} |"
        for name, row in read("duplicates")["pairs"].items()
    ]
    return "\n".join([*lines, ""])


def make_fault_table() -> str:
    """Make the table of what the last run of the fault benchmark injected, and what came of it."""
    faults = read("faults")
    struck = faults["faults"]
    rows = {
        "jobs, of 300 batches each": str(faults["jobs"]),
        "faults injected": f"{sum(faults['faults'].values())}",
        **{
            f"… {words}": str(count) for kind, words in KINDS.items() if (count := struck.get(kind))
        },
        "images accounted for, once each": (
            f"{faults['images_accounted_for']:,} of {faults['images']:,}"
        ),
        "jobs with the labels of an undisturbed one": (
            f"{faults['jobs_with_equal_labels']} of {faults['jobs']}"
        ),
    }
    lines = [f"| {what} | {count} |" for what, count in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines, ""])


def make_scale_table() -> str:
    """Make the table of jobs of any size: shares of the pool, seconds of stages, memory."""
    stages = ("submit", "loading", "fitting", "labelling", "finishing", "writing")
    roles = ("producer", "worker", "fit", "redis")
    names = ["images", "loading", "until the end", *(f"{stage}, s" for stage in stages)]
    names += [f"{role}, MB" for role in roles] + ["bytes an image in Redis", "on disk"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    rows = read("scale")
    for row in rows:
        shares = [row.get(f"{name}_share") for name in ("loading", "finished")]
        cells = [f"{row['images']:,}" + (", made up" if row["kind"] == "made up" else "")]
        cells += [percent(share) if share else "" for share in shares]
        cells += [f"{row[f'{stage}_seconds']:.1f}" for stage in stages]
        cells += [f"{row[f'{role}_megabytes']:,}" for role in roles]
        cells += [f"{row[f'{place}_bytes_an_image']:,.0f}" for place in ("redis", "disk")]
        lines.append(f"| {' | '.join(cells)} |")
    words = "The time of each stage and the memory of each process, by the number of images"
    return "\n".join([*lines, *([f"\n![{words}](../scale.png)"] if rows else []), ""])


TABLES: dict[str, Callable[[], str]] = {
    "pipeline": make_pipeline_table,
    "buckets": make_bucket_table,
    "scale": make_scale_table,
    "growing": make_growing_table,
    "extractors": make_extractor_table,
    "quality": make_quality_table,
    "duplicates": make_found_table,
    "pairs": make_pair_table,
    "commands": make_command_table,
    "peers": lambda: make_speed_table(read("peers")),
    "what peers give": lambda: make_yield_table(read("peers")),
    "cold": make_cold_table,
    "page": make_page_table,
    "report": make_report_table,
    "search": make_search_table,
    "faults": make_fault_table,
    "second process": lambda: make_second_table(read("second_process")),
    "workers": lambda: make_share_table(read("workers")),
    "a batch": lambda: make_cost_table(read("workers")),
}


def make_tables() -> dict[tuple[str, str], str]:
    """Make each table, by the two lines between which it stands."""
    return {
        (f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"): make_table()
        for name, make_table in TABLES.items()
    }


def main() -> None:
    """Write the tables into their page."""
    text = PAGE.read_text()
    for (begin, end), table in make_tables().items():
        before, _, rest = text.partition(begin)
        text = before + begin + table + end + rest.partition(end)[2]
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
