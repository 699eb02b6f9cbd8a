"""The features of a job that names none: the best that this machine can offer."""

from importlib.util import find_spec

from shoal.shared.jobs import DEFAULTS
from shoal.shared.recipe.features import split_features

# What runs the network of ``embedding``. Some platforms have none.
NETWORK = "onnxruntime"
# Of all features, those that cost least.
WITHOUT_NETWORK = "pixels"


def choose_features() -> str:
    """Choose the features of a job that names none."""
    return DEFAULTS.features if can_embed() else WITHOUT_NETWORK


def can_embed() -> bool:
    """Return whether what the default features need is installed here."""
    return "embedding" not in split_features(DEFAULTS.features) or find_spec(NETWORK) is not None


def describe_lack() -> str:
    """Describe in a line why the default features are not used here; "" if they are."""
    if can_embed():
        return ""
    return (
        f"{NETWORK} is not installed here, so images are compared by {WITHOUT_NETWORK}, not by what"
        f" they show: pip install {NETWORK}, if there is one for this Python and this machine."
    )
