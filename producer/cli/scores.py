"""Printing how well a job's clusters match known labels."""

from shoal.producer.cli.terminal import print_line
from shoal.producer.evaluation import Evaluation
from shoal.producer.export.models import export_json
from shoal.shared.text import show_count

# Labels that are named: folders may be others than one thinks.
CLASSES_SHOWN = 6


def print_evaluation(evaluation: Evaluation, as_json: bool) -> None:
    """Print the scores, and how many images of each class each cluster has."""
    if as_json:
        print_line(export_json(evaluation))
        return
    shown = ", ".join(evaluation.classes[:CLASSES_SHOWN])
    more = ", …" if len(evaluation.classes) > CLASSES_SHOWN else ""
    labels = show_count(len(evaluation.classes), "label")
    print_line(f"{show_count(evaluation.images, 'image')} with {labels}: {shown}{more}")
    for name in ("nmi", "ari", "v_measure", "homogeneity", "completeness"):
        print_line(f"{name:<13}{getattr(evaluation, name):.3f}")
    print_line()
    _print_confusion(evaluation)


def _print_confusion(evaluation: Evaluation) -> None:
    for cluster, row in zip(evaluation.clusters, evaluation.confusion, strict=True):
        by_size = sorted(zip(row, evaluation.classes, strict=True), reverse=True)
        found = ", ".join(f"{count:,} {name}" for count, name in by_size if count)
        print_line(f"cluster {cluster}: {found}")
