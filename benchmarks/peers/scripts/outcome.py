"""What a script prints when it is done, and the steps that several scripts share."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

IMAGE_SIZE = 32
N_CLUSTERS = 5
RANDOM_STATE = 0
PROCESSES = 2


def folder() -> Path:
    """Return the folder of images that the script was called with."""
    return Path(sys.argv[1])


def list_images() -> list[str]:
    """Return the paths of all files of the folder, sorted."""
    return sorted(str(path) for path in folder().rglob("*.jpg"))


def cluster(rows: Any) -> Any:
    """Return the labels of the tutorial's steps: scale, two principal components, KMeans.

    Args:
        rows: Pixels of shape (n_samples, n_features).
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    projected = PCA(n_components=2).fit_transform(StandardScaler().fit_transform(rows))
    return KMeans(n_clusters=N_CLUSTERS, random_state=RANDOM_STATE).fit(projected).labels_


def report_labels(paths: Sequence[str], labels: Iterable[int]) -> None:
    """Write a label an image to a file, as a user wants it, and print the outcome."""
    lines = [f"{path},{label}" for path, label in zip(paths, labels, strict=True)]
    Path("labels.csv").write_text("\n".join(["path,label", *lines, ""]))
    print_outcome(images=len(paths))


def report_duplicates(images: int, duplicates: dict[str, list[str]]) -> None:
    """Write which images are like which to a file, and print the outcome."""
    Path("duplicates.json").write_text(json.dumps(duplicates))
    pairs = [[name, other] for name, others in duplicates.items() for other in others]
    print_outcome(images=images, pairs=pairs)


def print_outcome(
    images: int, pairs: Sequence[Sequence[str]] = (), failed: Sequence[str] = ()
) -> None:
    """Print what a run gave, as the last line.

    Args:
        images: How many images have a label, a hash or a vector.
        pairs: Images that are like each other, by two names.
        failed: Images that the program says it could not read, by name.
    """
    names = [[Path(name).name for name in pair] for pair in pairs]
    failures = [Path(name).name for name in failed]
    print("\n" + json.dumps({"images": images, "pairs": names, "failed": failures}), flush=True)
