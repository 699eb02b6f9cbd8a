"""What measures the figures in ``docs/explanation/figures.md``."""

from pathlib import Path

# Each benchmark writes its figures here, as JSON.
FIGURES = Path(__file__).parent / "figures"
