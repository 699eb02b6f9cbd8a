"""The scores of a job against labels that are known, printed."""

import click

from shoal.producer.evaluation import Evaluation
from shoal.shared.text import show_count
from shoal.shared.wire import encode


def print_evaluation(evaluation: Evaluation, as_json: bool) -> None:
    """Print scores, and the images of each class in each cluster."""
    if as_json:
        click.echo(encode(evaluation))
        return
    click.echo(f"{show_count(evaluation.images, 'image')} with a known label")
    for name in ("nmi", "ari", "v_measure", "homogeneity", "completeness"):
        click.echo(f"{name:<13}{getattr(evaluation, name):.3f}")
    click.echo()
    _print_confusion(evaluation)


def _print_confusion(evaluation: Evaluation) -> None:
    """Print the classes of each cluster, the commonest first."""
    for cluster, row in zip(evaluation.clusters, evaluation.confusion, strict=True):
        by_size = sorted(zip(row, evaluation.classes, strict=True), reverse=True)
        found = ", ".join(f"{count:,} {name}" for count, name in by_size if count)
        click.echo(f"cluster {cluster}: {found}")
