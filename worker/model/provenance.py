"""Provenance: how the rows of a model were made, so that others can be made alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from shoal.shared.images.values import AGREED_NAME, ValueRanges
from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.shared.wire import decode, encode

CODE = "-code"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How rows were made; each is empty where nobody noted it.

    Attributes:
        results_version: Of the Shoal that made them; 0 if unknown.
        algorithm: What found the clusters.
        digests: By extractor, the digest of what it depends on, such as a network.
        codes: By extractor, the digest of its code, where that is another package's.
        value_ranges: Which values are black and white in images of more than eight bits.
    """

    results_version: int = 0
    algorithm: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    value_ranges: ValueRanges = field(default_factory=ValueRanges)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote; "" says nothing.

        Raises:
            ValueError: It did not write this.
        """
        return decode(text, cls) if text else cls()

    def to_text(self) -> str:
        """Write this as JSON."""
        return encode(self).decode()

    def note(self, algorithm: str, agreed: Mapping[str, str]) -> "Provenance":
        """Add what the workers of a job agreed on, by name, and what found its clusters."""
        noted = (name for name in agreed if name.endswith(CODE))
        codes = {name.removesuffix(CODE): agreed[name] for name in noted}
        known = {AGREED_NAME, *(name + CODE for name in codes)}
        digests = {name: digest for name, digest in agreed.items() if name not in known}
        ranges = agreed.get(AGREED_NAME)
        return Provenance(
            results_version=RESULTS_VERSION,
            algorithm=algorithm,
            digests=self.digests | digests,
            codes=self.codes | codes,
            value_ranges=ValueRanges.from_text(ranges) if ranges else self.value_ranges,
        )
