"""Recall: what the cache knows of the images of one batch, and what it learns from them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits
from shoal.shared.images.values import ValueRanges
from shoal.shared.store.rows import FailedImage
from shoal.worker.stages.cache.keys import describe_state, digest_image, mix_ranges
from shoal.worker.stages.cache.learned import Learned
from shoal.worker.stages.cache.lookup import Lookup
from shoal.worker.stages.cache.row_cache import RowCache
from shoal.worker.stages.cache.segment import DEEP, FAILURE, Form, Refusal

# Causes that lie in the content of a file; all others may be gone the next time.
OF_CONTENT = {
    FailureReason.TOO_MANY_PIXELS,
    FailureReason.NOT_AN_IMAGE,
    FailureReason.UNSUPPORTED,
    FailureReason.TRUNCATED,
    FailureReason.DAMAGED,
}


@dataclass(frozen=True)
class KnownRows:
    """Rows of a batch that were found in the cache.

    Attributes:
        positions: Of the images in the batch, ascending.
        features: Shape (n_known, n_features).
        hashes: Of HASH_DTYPE, shape (n_known,).
        tiles: Of TILE_DTYPE, shape (n_known,).
        widths: Columns of each extractor.
    """

    positions: list[int]
    features: NDArray[Any]
    hashes: NDArray[np.void]
    tiles: NDArray[np.void]
    widths: tuple[int, ...]


class Recall:
    """What a batch without the cache does: it knows nothing, and learns nothing."""

    def count_known(self) -> int:
        """Count the images that need not be loaded."""
        return 0

    def limit(self, limits: ImageLimits) -> ImageLimits:
        """Return the limits with which images are to be decoded; called first."""
        return limits

    def look_up(self, paths: Sequence[str], states: Sequence[bytes | None] | None = None) -> None:
        """Look up the images that are as they were, in one go.

        Args:
            paths: Of files, or what else names the images.
            states: Keys that change with the images; None for files, which are looked at.
        """

    def is_known(self, _position: int, /) -> bool:
        """Return whether an image need not be opened."""
        return False

    def find(self, _position: int, _content: bytes, /) -> bool:
        """Return whether the content of an image is known, so that it need not be decoded."""
        return False

    def learn(self, position: int) -> None:
        """Learn that an image was loaded: its row is the next of those given to ``keep``."""

    def learn_failure(self, position: int, error: UnreadableImageError) -> None:
        """Learn that an image cannot be used."""

    def failures(self) -> list[FailedImage]:
        """Return the images that are known not to be usable."""
        return []

    def rows(self) -> KnownRows | None:
        """Return the rows that were found; None if there are none."""
        return None

    def keep(
        self,
        features: NDArray[Any],
        hashes: NDArray[np.void],
        tiles: NDArray[np.void],
        widths: tuple[int, ...],
    ) -> None:
        """Keep the rows of the images that were loaded, in their order, for later jobs."""


class CachedRecall(Recall):
    """What the cache knows of a batch."""

    def __init__(
        self,
        cache: RowCache,
        lookup: Lookup,
        *,
        with_failures: bool = True,
    ) -> None:
        """Prepare.

        Args:
            cache: That of this process.
            lookup: What it has for the job.
            with_failures: Whether images are left out that are known not to be usable. Not where
                a user wants them to be tried again.
        """
        self._cache = cache
        self._lookup = lookup
        self._with_failures = with_failures
        self._limits: ImageLimits | None = None
        # Whether the image that is being decoded asked which values are black and white.
        self._is_deep = False
        self._paths: Sequence[str] = ()
        self._are_files = True
        self._states = dict[int, bytes]()
        self._contents = dict[int, bytes]()
        self._records = dict[int, np.void]()
        self._refusals = dict[int, Refusal]()
        self._form: Form | None = None
        self._learned = Learned()

    def count_known(self) -> int:
        """Count the images that need not be loaded."""
        return len(self._records) + len(self._refusals)

    def limit(self, limits: ImageLimits) -> ImageLimits:
        """Return the limits, noting which images ask for the values for black and white."""
        self._limits = limits

        def find_ranges() -> ValueRanges:
            self._is_deep = True
            return limits.find_ranges()

        return replace(limits, find_ranges=find_ranges)

    def look_up(self, paths: Sequence[str], states: Sequence[bytes | None] | None = None) -> None:
        """Look up the images that are as they were, in one go."""
        self._paths = paths
        self._are_files = states is None
        found = map(self._describe_state, range(len(paths))) if states is None else states
        self._states = {position: state for position, state in enumerate(found) if state}
        contents = self._lookup.find_states(list(self._states.values()))
        self._take({p: c for p, c in zip(self._states, contents, strict=True) if c is not None})

    def is_known(self, position: int, /) -> bool:
        """Return whether an image need not be opened."""
        return position in self._records or position in self._refusals

    def find(self, position: int, content: bytes, /) -> bool:
        """Return whether the content of an image is known, so that it need not be decoded."""
        self._is_deep = False
        self._contents[position] = digest_image(self._paths[position], content)
        self._take({position: self._contents[position]})
        return self.is_known(position)

    def _take(self, contents: Mapping[int, bytes]) -> None:
        """Take what the cache has of contents, by position."""
        # Another process may have merged segments: the rows are in a new one then.
        if lost := self._take_found(contents):
            self._cache.use(self._lookup.refresh, None)
            self._take_found({position: contents[position] for position in lost})

    def _take_found(self, contents: Mapping[int, bytes]) -> list[int]:
        """Take what is where the indexes say; return the positions of what is not."""
        by_segment = defaultdict[int, list[tuple[int, bytes, int]]](list)
        entries = self._lookup.find_contents(list(contents.values()))
        for (position, key), entry in zip(contents.items(), entries, strict=True):
            if entry and entry.kind == DEEP:
                key = self._mix(key)
                (entry,) = self._lookup.find_contents([key])
            if entry is None:
                continue
            if entry.kind == FAILURE:
                if self._with_failures:
                    self._refusals[position] = self._lookup.refusal(entry)
            else:
                by_segment[entry.segment].append((entry.place, key, position))
        lost = list[int]()
        for segment, found in by_segment.items():
            lost += self._take_records(segment, sorted(found))
        return lost

    def _mix(self, key: bytes) -> bytes:
        ranges = self._limits.find_ranges() if self._limits else ValueRanges()
        return mix_ranges(key, ranges.to_text())

    def _take_records(self, segment: int, found: Sequence[tuple[int, bytes, int]]) -> list[int]:
        form = self._lookup.form(segment)
        if self._form not in (None, form):
            return []  # rows that do not fit together are made again
        places, keys, positions = zip(*found, strict=True)
        read = partial(self._lookup.read_records, segment, places, keys)
        records = self._cache.use(read, None)
        if records is None:
            return list(positions)
        self._form = form
        self._records |= zip(positions, records, strict=True)
        return []

    def learn(self, position: int) -> None:
        """Learn that an image was loaded: its row is the next of those given to ``keep``."""
        self._learned.rows.append(self._learn_content(position))

    def _learn_content(self, position: int) -> bytes:
        """Return the key under which to keep what became of an image that was decoded."""
        key = self._contents[position]
        if not self._is_deep:
            return key
        self._learned.deep.add(key)
        return self._mix(key)

    def learn_failure(self, position: int, error: UnreadableImageError) -> None:
        """Learn that an image cannot be used, if that lies in its content."""
        if position in self._contents and error.reason in OF_CONTENT:
            key = self._learn_content(position)
            self._learned.refusals[key] = Refusal(error.reason, error.detail)

    def failures(self) -> list[FailedImage]:
        """Return the images that are known not to be usable."""
        return [FailedImage(p, r.reason, r.detail) for p, r in self._refusals.items()]

    def rows(self) -> KnownRows | None:
        """Return the rows that were found; None if there are none."""
        if self._form is None or not self._records:
            return None
        positions = sorted(self._records)
        records = np.empty(len(positions), self._form.record)
        for place, position in enumerate(positions):
            records[place] = self._records[position]
        return KnownRows(
            positions,
            records["features"].copy(),
            records["hashes"].copy(),
            records["tile"].copy(),
            self._form.widths,
        )

    def keep(
        self,
        features: NDArray[Any],
        hashes: NDArray[np.void],
        tiles: NDArray[np.void],
        widths: tuple[int, ...],
    ) -> None:
        """Keep the rows of the images that were loaded, in their order, for later jobs."""
        self._learn_states()
        if self._learned:
            folder = self._lookup.folder
            self._cache.write(folder, self._learned, features, hashes, tiles, widths)

    def _learn_states(self) -> None:
        """Learn which content the images had that were read, unless they have changed since."""
        for position in self._contents:
            state = self._states.get(position)
            # Of what is no file, whoever read it has compared it with its state.
            if state and (not self._are_files or self._describe_state(position) == state):
                self._learned.states[state] = self._contents[position]

    def _describe_state(self, position: int) -> bytes | None:
        roots = self._limits.roots if self._limits else ()
        return describe_state(self._paths[position], roots)
