"""What a batch learned, to be kept as a segment."""

from dataclasses import dataclass, field

import xxhash

from shoal.worker.stages.cache.segment import (
    DEEP,
    FAILURE,
    RECORD,
    Form,
    Index,
    Refusal,
    make_index,
)


@dataclass
class Learned:
    """What a batch found out about its images that was not known.

    Attributes:
        rows: Keys of the contents that were extracted, in the order of their rows.
        refusals: Why contents cannot be used, by key.
        deep: Keys of contents whose rows depend on the values for black and white.
        states: Content of each file, by the key of its state.
    """

    rows: list[bytes] = field(default_factory=list)
    refusals: dict[bytes, Refusal] = field(default_factory=dict)
    deep: set[bytes] = field(default_factory=set)
    states: dict[bytes, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows or self.refusals or self.deep or self.states)

    def make_index(self, form: Form | None) -> Index:
        """Make the index of a segment with all of this; ``form`` is that of its records."""
        contents = [(key, place, RECORD) for place, key in enumerate(self.rows)]
        contents += [(key, place, FAILURE) for place, key in enumerate(self.refusals)]
        contents += [(key, 0, DEEP) for key in sorted(self.deep)]
        return make_index(form, contents, list(self.states.items()), self.refusals.values())

    def digest(self) -> int:
        """Digest what was learned: the same gets the same name, whoever writes it."""
        keys = (*self.rows, *self.refusals, *sorted(self.deep), *self.states)
        return xxhash.xxh3_64_intdigest(b"".join(keys))
