"""Features: the extractors that a job may name, known without loading any of them."""

from typing import TYPE_CHECKING

from shoal.shared.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# What images are resized to where a job does not say. The embedding's is the shipped model's.
IMAGE_SIZES = {"pixels": 32, "color": 32, "hog": 64, "lbp": 64, "embedding": 224}

# Where one of them is another package's, which only a worker loads.
PLUGIN_IMAGE_SIZE = 64
# Of those whose number does not grow with the image.
COUNTS = {"color": 51, "hog": 1764, "lbp": 160, "embedding": 1280}

ENTRY_POINTS = "shoal.features"
SEPARATOR = "+"


def list_features() -> tuple[str, ...]:
    """Return the names of all extractors: ours, then those of installed packages."""
    return (*IMAGE_SIZES, *sorted(find_plugins().keys() - IMAGE_SIZES))


def find_plugins() -> "dict[str, EntryPoint]":
    """Return the extractors that installed packages register, by name, without importing them.

    Raises:
        UsageError: Two packages register different extractors under one name.
    """
    # It takes 20 ms to import, and our own names do without.
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
    """Return the names of the extractors that, for example, ``hog+color`` combines.

    Raises:
        UsageError: A name is unknown or stands there twice.
    """
    names = tuple(name.strip() for name in features.split(SEPARATOR))
    for name in names:
        check_known(name)
        if names.count(name) > 1:
            raise UsageError(f"Features {features!r} name {name!r} twice: name it once.")
    return names


def check_known(name: str) -> None:
    """Raise UsageError, which lists the extractors there are, unless ``name`` is one."""
    if name not in IMAGE_SIZES and name not in (known := list_features()):
        raise UsageError(
            f"No features are named {name!r}; there are {', '.join(known)},"
            f" and combinations such as hog{SEPARATOR}color."
        )


def choose_image_size(features: str) -> int:
    """Return the size that suits all extractors of ``features``, in pixels.

    Raises:
        UsageError: A name is unknown or stands there twice.
    """
    return max(IMAGE_SIZES.get(name, PLUGIN_IMAGE_SIZE) for name in split_features(features))


def count_features(features: str, image_size: int) -> int:
    """Return about how many features an image has; what only a worker knows counts as pixels.

    It is exact for ``pixels``. A model of one's own, or an odd size, may give others.
    """
    names = features.split(SEPARATOR)
    return sum(COUNTS.get(name.strip(), image_size**2 * 3) for name in names)


def feature_bytes(features: str) -> int:
    """Return the bytes of one feature."""
    return 1 if features == "pixels" else 4
