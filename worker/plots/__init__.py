"""The plots of a finished job: arrays in, pictures out.

Figures are made through matplotlib's objects, never ``pyplot``: no global state, so that threads
and forked workers may plot at the same time.
"""

from worker.plots.choice import plot_choice
from worker.plots.contact_sheet import plot_contact_sheet
from worker.plots.scatter import plot_scatter
from worker.plots.sizes import plot_sizes
from worker.plots.style import encode_png
from worker.plots.variance import plot_variance

__all__ = [
    "encode_png",
    "plot_choice",
    "plot_contact_sheet",
    "plot_scatter",
    "plot_sizes",
    "plot_variance",
]
