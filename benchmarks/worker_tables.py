"""The tables of what ``benchmarks.workers`` and ``benchmarks.second_process`` measured."""

from typing import Any

COLUMNS = {
    ("camera", "files"): "a camera's, features in files",
    ("camera", "redis"): "a camera's, features in Redis",
    ("small", "files"): "small ones, features in files",
    ("small", "redis"): "small ones, features in Redis",
}


def make_share_table(rows: list[dict[str, Any]]) -> str:
    """Make the table of the time that processes are at work, by how many there are."""
    shares = {(row["kind"], row["place"], row["processes"]): row["share"] for row in rows}
    lines = [f"| processes | {' | '.join(COLUMNS.values())} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for count in sorted({row["processes"] for row in rows}):
        found = (shares.get((*column, count)) for column in COLUMNS)
        cells = ("" if share is None else f"{share * 100:.1f} %" for share in found)
        lines.append(f"| {count} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def make_cost_table(rows: list[dict[str, Any]]) -> str:
    """Make the table of what coordinating a batch takes, with most processes."""
    lines = [
        "| photographs | Redis: commands a batch | an image | bytes an image | processor, a batch |"
        " Celery and Shoal: processor, a batch |",
        "|---" * 6 + "|",
    ]
    for (kind, place), words in COLUMNS.items():
        found = [row for row in rows if (row["kind"], row["place"]) == (kind, place)]
        if not found:
            continue
        row = max(found, key=lambda row: row["processes"])
        images = row["images"] / row["batches"]
        lines.append(
            f"| {words} | {row['commands_a_batch']:.0f} | {row['commands_a_batch'] / images:.1f}"
            f" | {row['kilobytes_a_batch'] * 1000 / images:,.0f}"
            f" | {row['redis_milliseconds_a_batch']:.1f} ms"
            f" | {row['worker_milliseconds_a_batch']:.1f} ms |"
        )
    return "\n".join([*lines, ""])


def make_second_table(row: dict[str, Any]) -> str:
    """Make the table of how many times as fast two processes are as one."""
    lines = [
        f"| {row['images']:,} photographs | two processes beside one |",
        "|---|---|",
        f"| jobs | {row['job']:.2f} × |",
        f"| bare process pools | {row['pool']:.2f} × |",
    ]
    return "\n".join([*lines, ""])
