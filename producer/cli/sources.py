"""SOURCE on the command line."""

from collections.abc import Sequence
from typing import Any

from shoal.producer.submission.inputs import Selection, read_sources
from shoal.producer.submission.listing import Listing
from shoal.shared.settings import read_settings


def read_given(sources: Sequence[str], options: dict[str, Any]) -> Listing:
    """List the images of what was given; take what selects them out of the options."""
    selection = Selection(tuple(options.pop("exclude")), options.pop("column"))
    return read_sources(sources, read_settings(), selection)
