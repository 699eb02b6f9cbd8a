"""Tables of a job, from what the store keeps by batch: labels, failures and duplicates."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from shoal.shared.findings import TURNS, Assignment, Columns, Duplicate, Failure, Rows
from shoal.shared.store.rows import DUPLICATE_ROW, HASH_ROW, LABEL_ROW, TURN_SHIFT, FailedImage

# Rows of duplicates of which the paths are looked up together: few at first, for whoever wants a
# page of them; then many, for their images are in any batch.
FIRST_ROWS, MOST_ROWS = 2**10, 2**17
# Bits of the number of an image within its batch.
PLACE_BITS = 32


@dataclass(frozen=True)
class BatchPaths:
    """The paths of a batch, in manifest order, and those of its images that failed."""

    paths: list[str]
    failed: list[FailedImage]

    def failed_positions(self) -> list[int]:
        """Return the positions of the images that failed, ascending."""
        return sorted(image.position for image in self.failed)

    def loaded(self) -> list[str]:
        """Return the paths of the images that have a row, in row order."""
        return [self.paths[p] for p in self.loaded_positions()] if self.failed else self.paths

    def loaded_positions(self) -> Sequence[int]:
        """Return the positions of the images that have a row, ascending."""
        failed = {image.position for image in self.failed}
        return [position for position in range(len(self.paths)) if position not in failed]


# Reads the paths of batches, by their numbers.
ReadPaths = Callable[[Sequence[int]], Iterable[BatchPaths]]


def list_assignments(
    batches: Iterable[BatchPaths],
    labels: Iterable[bytes],
    far: Iterable[bytes],
    names: Mapping[int, str],
) -> Rows[Assignment]:
    """List each loaded image and its cluster.

    Args:
        batches: Paths of each batch.
        labels: Label rows of each.
        far: A byte for each of these rows, 1 if the image is far; empty if that is not known.
        names: Of the clusters that have one, by label.
    """

    def split() -> Iterator[Columns]:
        for batch, raw, distant in zip(batches, labels, far, strict=True):
            paths, rows = batch.loaded(), list(LABEL_ROW.iter_unpack(raw))
            if len(paths) != len(rows):
                raise ValueError(f"{len(rows)} rows of labels for {len(paths)} images")
            if rows:
                numbers = list(zip(*rows, strict=True))
                named = [names.get(label, "") for label in numbers[0]]
                yield paths, *numbers, list(map(bool, distant or bytes(len(rows)))), named

    return Rows(Assignment, split())


def list_failures(batches: Iterable[BatchPaths]) -> Rows[Failure]:
    """List each image that could not be used."""

    def split() -> Iterator[Columns]:
        for batch in batches:
            if failed := batch.failed:
                yield (
                    [batch.paths[image.position] for image in failed],
                    [image.reason for image in failed],
                    [image.detail for image in failed],
                )

    return Rows(Failure, split())


def list_duplicates(raw: bytes, read_paths: ReadPaths) -> Rows[Duplicate]:
    """List the images that are copies of each other or look alike, group by group."""

    def split() -> Iterator[Columns]:
        import numpy as np  # slow to import

        start, n_rows = 0, FIRST_ROWS
        while some := raw[start : start + n_rows * DUPLICATE_ROW.size]:
            rows = np.frombuffer(some, "6<u4,u1")
            numbers, packed = rows["f0"].astype(np.int64), rows["f1"].tolist()
            images, others = (numbers[:, at] << PLACE_BITS | numbers[:, at + 1] for at in (2, 4))
            distinct, places = np.unique(np.concatenate([images, others]), return_inverse=True)
            found = np.array(_find_paths(distinct.tolist(), read_paths), object)
            own, nearest = found[places].reshape(2, -1).tolist()
            distances = [value & 2**TURN_SHIFT - 1 for value in packed]
            turns = [TURNS[value >> TURN_SHIFT] for value in packed]
            groups, contents = numbers[:, :2].T.tolist()
            yield groups, own, contents, nearest, distances, turns
            start, n_rows = start + len(some), min(2 * n_rows, MOST_ROWS)

    return Rows(Duplicate, split())


def list_digests(
    raw: bytes, read_hashes: Callable[[Sequence[int]], Iterable[bytes]]
) -> Iterator[int]:
    """List the digests of the images of ``list_duplicates``, from the hashes of batches."""
    left, n_rows = DUPLICATE_ROW.iter_unpack(raw), FIRST_ROWS
    while rows := list(islice(left, n_rows)):
        images = [(batch, place) for _, _, batch, place, *_ in rows]
        batches = list(dict.fromkeys(batch for batch, _ in images))
        hashes = dict(zip(batches, read_hashes(batches), strict=True))
        for batch, place in images:
            yield HASH_ROW.unpack_from(hashes[batch], place * HASH_ROW.size)[0]
        n_rows = min(2 * n_rows, MOST_ROWS)


def _find_paths(images: Sequence[int], read_paths: ReadPaths) -> list[str]:
    """Find the paths of images: numbers of batches, and in their last bits of loaded images."""
    numbers = list(dict.fromkeys(image >> PLACE_BITS for image in images))
    found, start = list[str](), 0
    for batch, paths in zip(numbers, read_paths(numbers), strict=True):
        loaded, first = paths.loaded(), batch << PLACE_BITS
        end = bisect_left(images, batch + 1 << PLACE_BITS, start)
        found += [loaded[image - first] for image in images[start:end]]
        start = end
    return found
