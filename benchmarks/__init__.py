"""What the README's figures come from."""

from pathlib import Path

# Each benchmark writes its figures here, as JSON.
FIGURES = Path(__file__).parent / "figures"
