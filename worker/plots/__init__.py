"""The plots of a finished job: arrays in, pictures out.

Figures are made through matplotlib's objects, never ``pyplot``: no global state, so that threads
and forked workers may plot at the same time.
"""

# Before matplotlib.
from shoal.worker.plots.defaults import default_style

# isort: split
from shoal.worker.plots.choice import plot_choice
from shoal.worker.plots.contact_sheet import Tile, plot_contact_sheet
from shoal.worker.plots.scatter import plot_scatter
from shoal.worker.plots.sizes import plot_sizes
from shoal.worker.plots.style import encode_png
from shoal.worker.plots.variance import plot_variance

__all__ = [
    "Tile",
    "default_style",
    "encode_png",
    "plot_choice",
    "plot_contact_sheet",
    "plot_scatter",
    "plot_sizes",
    "plot_variance",
]
