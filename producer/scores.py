"""The scores of a job against labels that are known, printed."""

from pathlib import Path

import click

from producer.evaluation import Evaluation, evaluate, truth_from_csv, truth_from_folders
from producer.job import Job
from producer.words import show_count
from shared.wire import encode

FOLDERS = "folders"


def score_job(job: Job, known: str) -> Evaluation:
    """Return how well a job's clusters match known labels.

    Args:
        job: A finished job.
        known: ``folders``, or the path of a CSV.

    Raises:
        UsageError: There are no such labels.
    """
    clusters = {image.path: image.label for image in job.labels()}
    if known.lower() == FOLDERS:
        truth = truth_from_folders(clusters)
    else:
        truth = truth_from_csv(Path(known), clusters)
    return evaluate([clusters[path] for path in truth], list(truth.values()))


def print_evaluation(evaluation: Evaluation, as_json: bool) -> None:
    """Print scores, and the images of each class in each cluster."""
    if as_json:
        click.echo(encode(evaluation))
        return
    click.echo(f"{show_count(evaluation.images, 'image')} with a known label")
    for name in ("nmi", "ari", "v_measure", "homogeneity", "completeness"):
        click.echo(f"{name:<13}{getattr(evaluation, name):.3f}")
    click.echo()
    print_confusion(evaluation)


def print_confusion(evaluation: Evaluation) -> None:
    """Print the classes of each cluster, the commonest first."""
    for cluster, row in zip(evaluation.clusters, evaluation.confusion, strict=True):
        by_size = sorted(zip(row, evaluation.classes, strict=True), reverse=True)
        found = ", ".join(f"{count:,} {name}" for count, name in by_size if count)
        click.echo(f"cluster {cluster}: {found}")
