"""Scores of how well clusters match known labels, from folders or from a table."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from shoal.producer.results import JobResults
from shoal.shared.encoding import escape_name
from shoal.shared.errors import UsageError

FOLDERS = "folders"
COLUMNS = ("path", "label")


@dataclass(frozen=True)
class Evaluation:
    """Scores of clusters against known classes, between 0 and 1 (``ari`` can be negative).

    Attributes:
        images: Number of images that have both a cluster and a class.
        nmi: Normalised mutual information, by the arithmetic mean.
        ari: Adjusted Rand index; below 0 where clusters match worse than by chance.
        v_measure: Harmonic mean of ``homogeneity`` and ``completeness``.
        homogeneity: 1 if each cluster has images of one class only.
        completeness: 1 if all images of a class are in one cluster.
        clusters: Labels of the rows of ``confusion``, ascending; -1 is noise.
        classes: Names of the columns of ``confusion``, sorted.
        confusion: Number of images of each cluster (row) in each class (column).
    """

    images: int
    nmi: float
    ari: float
    v_measure: float
    homogeneity: float
    completeness: float
    clusters: tuple[int, ...]
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


def evaluate(labels: Sequence[int], truth: Sequence[str]) -> Evaluation:
    """Score clusters against the true classes of the same images.

    Args:
        labels: Cluster of each image; noise, -1, counts as one more cluster.
        truth: Class of each image, in the same order.

    Raises:
        UsageError: There is no image.
    """
    if not labels:
        raise UsageError("no image has both a cluster and a known label")
    # It takes half a second to import, which other commands need not wait for.
    from sklearn import metrics

    homogeneity, completeness, v_measure = metrics.homogeneity_completeness_v_measure(truth, labels)
    clusters, classes = tuple(sorted(set(labels))), tuple(sorted(set(truth)))
    return Evaluation(
        images=len(labels),
        nmi=float(metrics.normalized_mutual_info_score(truth, labels)),
        ari=float(metrics.adjusted_rand_score(truth, labels)),
        v_measure=float(v_measure),
        homogeneity=float(homogeneity),
        completeness=float(completeness),
        clusters=clusters,
        classes=classes,
        confusion=_count_pairs(labels, truth, clusters, classes),
    )


def _count_pairs(
    labels: Sequence[int], truth: Sequence[str], clusters: Sequence[int], classes: Sequence[str]
) -> tuple[tuple[int, ...], ...]:
    rows = {cluster: dict.fromkeys(classes, 0) for cluster in clusters}
    for cluster, name in zip(labels, truth, strict=True):
        rows[cluster][name] += 1
    return tuple(tuple(row.values()) for row in rows.values())


def truth_from_folders(paths: Iterable[str]) -> dict[str, str]:
    """Take the first folder of each path as the class of its image.

    That is what other tools do: torchvision's ImageFolder, Keras and scikit-learn. Folders in it
    do not count, nor does a folder that all have in common, such as ``train``.

    Args:
        paths: Paths of images, relative to the job's source, as in its labels.

    Returns:
        Class by path, without paths that have no such folder.

    Raises:
        UsageError: No path has one.
    """
    folders = {path: PurePosixPath(path).parts[:-1] for path in paths}
    folders = {path: names for path, names in folders.items() if names}
    # The first and the last differ where any do.
    ends = (min(folders.values(), default=()), max(folders.values(), default=()))
    depth = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*ends, strict=False)))
    truth = {path: names[depth] for path, names in folders.items() if len(names) > depth}
    if not truth:
        raise UsageError("no image is in a folder of its class: give a CSV of path,label instead")
    return truth


def truth_from_csv(file: Path, paths: Iterable[str]) -> dict[str, str]:
    """Read the classes of images from a table.

    Args:
        file: CSV in UTF-8 with the columns ``path`` and ``label``, and maybe others; names that
            are not UTF-8 byte for byte, or escaped as in ``labels.csv``.
        paths: Paths of images, relative to the job's source, as in its labels.

    Returns:
        Class by path, of those ``paths`` that the table has.

    Raises:
        UsageError: The file cannot be read, lacks a column, contradicts itself, or has none of
            ``paths``.
    """
    known = _read_table(file)
    labels = ((path, known.get(path) or known.get(escape_name(path))) for path in paths)
    truth = {path: label for path, label in labels if label}
    if not truth:
        example = next(iter(known), "")
        hint = f": paths such as {example!r} must be relative to the job's folder" if known else ""
        raise UsageError(f"{file} has no path of this job{hint}")
    return truth


def _read_table(file: Path) -> dict[str, str]:
    """Read label by path; paths lose a leading "./", and rows without a label are skipped.

    Raises:
        UsageError: The file cannot be read, lacks a column, or contradicts itself.
    """
    table: dict[str, str] = {}
    try:
        # utf-8-sig: spreadsheets begin a file with a byte-order mark.
        with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            reader = csv.DictReader(stream)
            _check_columns(file, reader.fieldnames or ())
            for row in reader:
                _add_row(table, row, f"{file}, line {reader.line_num}")
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{file} cannot be read: {reason}") from error
    return table


def _check_columns(file: Path, columns: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        found = ", ".join(columns) or "nothing"
        wanted = " and ".join(missing)
        raise UsageError(f"{file} has no column {wanted}; its first line names {found}")


def _add_row(table: dict[str, str], row: dict[str, str | None], place: str) -> None:
    """Add a row of the file to the table.

    Raises:
        UsageError: The table already has the path with another label.
    """
    path, label = (row[name] or "" for name in COLUMNS)
    if not path or not label:
        return
    path = os.path.normpath(path)
    if table.setdefault(path, label) != label:
        raise UsageError(f"{place}: {path!r} has two labels, {table[path]!r} and {label!r}")


def score_job(job: JobResults, known: str | Path | Mapping[str, str]) -> Evaluation:
    """Score a job's clusters against known labels.

    Args:
        job: A finished job.
        known: ``folders``, the path of a CSV, or the class of each image by its path.

    Raises:
        UsageError: No image has a known label.
    """
    clusters: dict[str, int] = {}
    for paths, labels, *_ in job.labels().parts:
        clusters.update(zip(paths, labels, strict=True))
    if isinstance(known, Mapping):
        truth = {path: known[path] for path in clusters if path in known}
    elif str(known).lower() == FOLDERS:
        truth = truth_from_folders(clusters)
    else:
        truth = truth_from_csv(Path(known), clusters)
    return evaluate([clusters[path] for path in truth], list(truth.values()))
