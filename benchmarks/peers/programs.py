"""The programs that are compared: what is installed of each, and what it is asked to do."""

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """What a program does with a folder, as the tables say it."""

    CLUSTERS = "clusters of pixels"
    DUPLICATES = "duplicates"
    VECTORS = "vectors of a network"


@dataclass(frozen=True)
class Program:
    """A program, with the script that calls it.

    Attributes:
        name: How it calls itself.
        purpose: What it is asked for.
        script: Module in ``benchmarks/peers/scripts``.
        packages: What is installed in its environment, its own package first.
        images: Images of its runs: some seconds on two cores.
        yields: What a user has at the end.
        after_kill: What becomes of a run whose processes are killed, by its documentation.
        oldest_python: The oldest version that it is made for, where Shoal's may be too old.
    """

    name: str
    purpose: Purpose
    script: str
    packages: tuple[str, ...]
    images: int
    yields: str
    after_kill: str = "from the start"
    oldest_python: tuple[int, int] = (3, 11)

    @property
    def version(self) -> str:
        """The version of its own package."""
        return self.packages[0].partition("==")[2]


FIT = ("numpy==2.4.6", "scikit-learn==1.9.1")
PILLOW = "pillow==13.0.0"
LABELS = "a label an image"
HASH_GROUPS = "images that look alike"

PROGRAMS = (
    Program(
        "scikit-image and scikit-learn, image by image",
        Purpose.CLUSTERS,
        "with_scikit_image",
        ("scikit-image==0.26.0", *FIT),
        500,
        LABELS,
    ),
    Program(
        "Dask, a bag of paths",
        Purpose.CLUSTERS,
        "with_dask",
        ("dask==2026.8.0", *FIT, PILLOW),
        4000,
        LABELS,
        "from the start, unless its `distributed` holds the cluster",
    ),
    Program(
        "Ray Data, `read_images`",
        Purpose.CLUSTERS,
        "with_ray",
        ("ray[data]==2.60.0", *FIT, PILLOW),
        4000,
        LABELS,
        "a lost worker's part again; from the start if the script is killed",
    ),
    Program(
        "clustimage",
        Purpose.CLUSTERS,
        "with_clustimage",
        ("clustimage==1.7.1", *FIT, PILLOW),
        2000,
        LABELS,
    ),
    Program(
        "imagededup, `PHash`",
        Purpose.DUPLICATES,
        "with_imagededup",
        ("imagededup==0.3.3.post2", *FIT, PILLOW),
        4000,
        HASH_GROUPS,
    ),
    Program(
        "immaculate",
        Purpose.DUPLICATES,
        "with_immaculate",
        ("immaculate==0.3.0",),
        4000,
        "copies, images that look alike, unreadable files",
        oldest_python=(3, 12),
    ),
    Program(
        "difPy",
        Purpose.DUPLICATES,
        "with_difpy",
        ("difPy==4.2.1", "numpy==2.4.6", PILLOW),
        500,
        "images that look alike, unreadable files",
    ),
    Program(
        "fastdup",
        Purpose.VECTORS,
        "with_fastdup",
        ("fastdup==2.54",),
        1000,
        "a vector an image, images that look alike, unreadable files",
        "`resume` takes up a stored run after its vectors",
    ),
)

FILES = "labels, groups of duplicates, unreadable files with reasons, plots, report, model"
CONTINUES = "continues where it was"
SHOAL = {
    purpose: Program("Shoal", purpose, script, (), 1000, FILES, CONTINUES)
    for purpose, script in (
        (Purpose.CLUSTERS, "with_shoal_pixels"),
        (Purpose.DUPLICATES, "with_shoal_pixels"),
        (Purpose.VECTORS, "with_shoal_embedding"),
    )
}
