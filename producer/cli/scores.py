"""Printing how well a job's clusters match known labels."""

import click

from shoal.producer.evaluation import Evaluation
from shoal.producer.export.models import export_json
from shoal.shared.text import show_count


def print_evaluation(evaluation: Evaluation, as_json: bool) -> None:
    """Print the scores, and how many images of each class each cluster has."""
    if as_json:
        click.echo(export_json(evaluation))
        return
    click.echo(f"{show_count(evaluation.images, 'image')} with a known label")
    for name in ("nmi", "ari", "v_measure", "homogeneity", "completeness"):
        click.echo(f"{name:<13}{getattr(evaluation, name):.3f}")
    click.echo()
    _print_confusion(evaluation)


def _print_confusion(evaluation: Evaluation) -> None:
    for cluster, row in zip(evaluation.clusters, evaluation.confusion, strict=True):
        by_size = sorted(zip(row, evaluation.classes, strict=True), reverse=True)
        found = ", ".join(f"{count:,} {name}" for count, name in by_size if count)
        click.echo(f"cluster {cluster}: {found}")
