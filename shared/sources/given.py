"""What a submission was given: folders, files and patterns."""

import os
from collections.abc import Sequence
from glob import has_magic

from shoal.shared.sources.paths import is_url


def list_given_folders(source: str, inputs: Sequence[str] = ()) -> list[str]:
    """Return the folders whose images were asked for: where no results may be written.

    Args:
        source: Of a job.
        inputs: Of that job.
    """
    if not inputs:
        return [] if is_url(source) else [source]
    files = [given for given in inputs if not is_url(given)]
    return [folder for given in files if os.path.isdir(folder := fixed_part(given))]  # noqa: PTH112


def fixed_part(given: str) -> str:
    """Return a path; of a pattern, the folder that all matches are in."""
    while has_magic(given) and not os.path.lexists(given):
        given = os.path.dirname(given)  # noqa: PTH120
    return given
