"""matplotlib as it comes: it draws on Agg, whatever the user has configured for other programs.

To be imported before matplotlib, which reads its configuration then, and fails where that is
damaged or names a backend that is not installed here, as every notebook does for what it starts.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def _in_directory(directory: Path) -> Iterator[None]:
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(directory)
        yield
    finally:
        os.fchdir(here)
        os.close(here)


os.environ["MPLBACKEND"] = "agg"
os.environ["MATPLOTLIBRC"] = os.devnull
# A file of that name in the current directory comes first; there is none here.
with _in_directory(Path(__file__).parent):
    import matplotlib

_DEFAULTS = {key: matplotlib.rcParamsDefault[key] for key in matplotlib.rcParamsDefault}
# Of pyplot, which nothing here uses.
del _DEFAULTS["backend"]


@contextmanager
def default_style() -> Iterator[None]:
    """Draw with matplotlib's own defaults meanwhile, whatever another package has set."""
    # Not rcdefaults: it reads all style files of the user, and fails if one is damaged.
    with matplotlib.rc_context(_DEFAULTS):
        yield
