"""Features: the extractors that a job may name, known without loading any of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.shared.errors import OptionError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "shoal.features"
SEPARATOR = "+"

# Raise it when the same images and options give other rows or labels than before, for example by
# another network: a job of an older version is then not taken for the same, nor a row found again.
RESULTS_VERSION = 3
# From 512 images on, the overhead of a batch of fast features is 1 %.
COMMON_BATCH_SIZE = 512


@dataclass(frozen=True, kw_only=True)
class ExtractorFacts:
    """What producer and worker agree on about an extractor.

    Attributes:
        image_size: Width and height in pixels that images are resized to where a job does not say.
        fixed_count: Features of an image of any size; None where every channel of every pixel is
            one.
        itemsize: Bytes of one feature.
        is_exact: Whether ``count`` is a promise, to which a request is held before any image is
            loaded. Otherwise it is an estimate: a user's own model, or an odd size, may give
            another number.
        is_slow: Whether extraction adds noticeably to the time that decoding an image takes.
        is_standardized: Whether each feature is divided by its standard deviation. Not where rows
            are normalised already: that blows up features that are rarely other than 0, and KMeans
            then spends its centres on pairs of copies.
        batch_size: Most images that a batch commonly has: those of half a second or more.
        weight: How much it counts beside other extractors.
    """

    image_size: int
    fixed_count: int | None = None
    itemsize: int = 4
    is_exact: bool = False
    is_slow: bool = True
    is_standardized: bool = True
    batch_size: int = COMMON_BATCH_SIZE
    weight: float = 1

    def count(self, image_size: int) -> int:
        """Count the features of an image of ``image_size`` × ``image_size`` pixels."""
        return image_size**2 * 3 if self.fixed_count is None else self.fixed_count


EXTRACTORS = {
    "pixels": ExtractorFacts(image_size=32, itemsize=1, is_exact=True, is_slow=False),
    "color": ExtractorFacts(image_size=32, fixed_count=51),
    "hog": ExtractorFacts(image_size=64, fixed_count=1764, is_standardized=False),
    "lbp": ExtractorFacts(image_size=64, fixed_count=160),
    # Of the model that Shoal ships.
    "embedding": ExtractorFacts(
        image_size=260, fixed_count=1280, is_standardized=False, batch_size=64, weight=2
    ),
}
# What is assumed of another package's extractor, which only a worker loads.
PLUGIN = ExtractorFacts(image_size=64)


def list_features() -> tuple[str, ...]:
    """Return the names of all extractors: ours, then those of installed packages."""
    return (*EXTRACTORS, *sorted(find_plugins().keys() - EXTRACTORS))


def find_plugins() -> "dict[str, EntryPoint]":
    """Find the extractors that installed packages register, by name, without importing them.

    Raises:
        UsageError: Two packages register different extractors under one name.
    """
    # Importing this takes 20 ms, and our own names need none of it.
    from importlib.metadata import entry_points

    plugins: dict[str, EntryPoint] = {}
    for point in entry_points(group=ENTRY_POINTS):
        other = plugins.setdefault(point.name, point)
        if other.value != point.value:
            raise UsageError(
                f"Two packages register features named {point.name!r}, {other.value} and"
                f" {point.value}: uninstall one."
            )
    return plugins


def split_features(features: str) -> tuple[str, ...]:
    """Split ``hog+color``, for example, into the names of the extractors that it combines.

    Raises:
        UsageError: A name is unknown, or is given twice.
    """
    names = tuple(_split_names(features))
    for name in names:
        check_known(name)
        if names.count(name) > 1:
            raise OptionError(
                "features", f"Features {features!r} name {name!r} twice: name it once."
            )
    return names


def check_known(name: str) -> None:
    """Raise UsageError, which lists the extractors there are, unless ``name`` is one."""
    if name not in EXTRACTORS and name not in (known := list_features()):
        raise OptionError(
            "features",
            f"No features are named {name!r}; there are {', '.join(known)},"
            f" and combinations such as hog{SEPARATOR}color.",
        )


def normalize_features(features: str) -> str:
    """Return the one spelling of ``features``, without spaces: requests are compared as text."""
    return SEPARATOR.join(_split_names(features))


def choose_image_size(features: str) -> int:
    """Choose the size that suits all extractors of ``features``, in pixels.

    Raises:
        UsageError: A name is unknown, or is given twice.
    """
    return max(EXTRACTORS.get(name, PLUGIN).image_size for name in split_features(features))


def count_features(features: str, image_size: int) -> int:
    """Count the features of an image; exact if ``is_count_exact``, about as many otherwise."""
    return sum(facts.count(image_size) for facts in _list_facts(features))


def is_count_exact(features: str) -> bool:
    """Return whether ``count_features`` gives exactly the number that a worker will find."""
    return all(facts.is_exact for facts in _list_facts(features))


def are_slow(features: str) -> bool:
    """Return whether extraction adds noticeably to the time that decoding an image takes."""
    return any(facts.is_slow for facts in _list_facts(features))


def common_batch_size(features: str) -> int:
    """Return the most images that a batch commonly has."""
    return min(facts.batch_size for facts in _list_facts(features))


def feature_bytes(features: str) -> int:
    """Return the bytes of one feature; several extractors together give float32."""
    facts = list(_list_facts(features))
    return facts[0].itemsize if len(facts) == 1 else 4


def are_standardized(features: str) -> list[bool]:
    """Return of each extractor of ``features`` whether its features are standardized."""
    return [facts.is_standardized for facts in _list_facts(features)]


def list_weights(features: str) -> list[float]:
    """Return how much each extractor of ``features`` counts beside the others."""
    return [facts.weight for facts in _list_facts(features)]


def _split_names(features: str) -> Iterator[str]:
    return (name.strip() for name in features.split(SEPARATOR))


def _list_facts(features: str) -> Iterator[ExtractorFacts]:
    return (EXTRACTORS.get(name, PLUGIN) for name in _split_names(features))
