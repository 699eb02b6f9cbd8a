"""The tables of other programs beside Shoal."""

from typing import Any

from benchmarks.peers.programs import PROGRAMS, SHOAL, Purpose

Row = dict[str, Any]


def make_speed_table(figures: dict[str, Any]) -> str:
    """Make the table of speed and memory, each program beside Shoal on the same folder."""
    lines = [
        "| program | for | images | images/s | of the pool | memory"
        " | Shoal: images/s | of the pool | memory | takes, of Shoal's time |",
        "|---" * 10 + "|",
        *(_write_speed(row) for row in figures["programs"]),
    ]
    ran = [row for row in figures["programs"] if "error" not in row]
    faster = [row["program"] for row in ran if row["times_as_long_as_shoal"] < 1]
    smaller = [row["program"] for row in ran if row["megabytes"] < row["shoal_megabytes"]]
    rounds = min((row["rounds"] for row in ran), default=0)
    verdicts = (
        f"Rounds, of which these are the medians: {rounds}. Faster than Shoal: {_list(faster)}."
        f" With less memory: {_list(smaller)}."
    )
    return "\n".join([*lines, "", verdicts, ""])


def _list(names: list[str]) -> str:
    return "; ".join(names) or "none"


def _write_speed(row: Row) -> str:
    """Write a program's speed, or why there is none."""
    name = f"| {row['program']} ({row['version']}) | {row['purpose']} |"
    if "error" in row:
        return f"{name} | {row['error']} | | | | | | |"
    sides = " | ".join(
        f"{row[prefix + 'images_per_second']:,} | {row[prefix + 'share'] * 100:.1f} %"
        f" | {row[prefix + 'megabytes']:,} MB"
        for prefix in ("", "shoal_")
    )
    return f"{name} {row['images']:,} | {sides} | {row['times_as_long_as_shoal']:.1f} × |"


def make_yield_table(figures: dict[str, Any]) -> str:
    """Make the table of what a user has at the end."""
    programs = {program.name: program for program in PROGRAMS}
    shoal = SHOAL[Purpose.CLUSTERS]
    lines = [
        "| program | gives | known copies found | others grouped | a file that is no image"
        " | if it is killed |",
        "|---" * 6 + "|",
        f"| Shoal | {shoal.yields} | {_write_copies(figures, 'shoal_')}"
        f" | {figures['shoal_broken']} | {shoal.after_kill} |",
    ]
    for row in figures["programs"]:
        program = programs[row["program"]]
        lines.append(
            f"| {program.name} | {program.yields} | {_write_copies({'programs': [row]}, '')}"
            f" | {row.get('broken', '–')} | {program.after_kill} |"
        )
    return "\n".join([*lines, ""])


def _write_copies(figures: dict[str, Any], prefix: str) -> str:
    """Write two cells: the share of copies found and the other images grouped, of one run."""
    found = [row for row in figures["programs"] if f"{prefix}copies_found" in row]
    if not found:
        return "– | –"
    row = max(found, key=lambda row: int(row["images"]))
    share = row[f"{prefix}copies_found"]
    return f"{share * 100:.0f} % | {row[f'{prefix}others_grouped']:,} of {row['images']:,}"
