from collections import Counter
from heapq import heapify, heapreplace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick import make_quick_request

from shoal.producer.submission.batches import (
    batch_size_for,
    choose_batch_size,
    choose_sizes,
    measure_image_bytes,
    split_batches,
)
from shoal.producer.submission.listing import Listing

PHOTOGRAPH, CAMERA = 33_000.0, 4e6  # bytes of a file


@pytest.mark.parametrize(
    ("n_images", "size"),
    [
        *((1, 32), (256, 32), (257, 33), (4_000, 500), (4_096, 512), (10_000, 512)),
        *((524_288, 512), (800_000, 782), (1_048_576, 1024), (30_000_000, 1024)),
    ],
)
def test_batch_size_grows_with_the_images(n_images: int, size: int) -> None:
    assert batch_size_for(n_images) == size


@given(st.integers(1, 10**8), st.integers(0, 10**6), st.floats(0, 1e9))
def test_batch_size_stays_within_its_bounds_and_never_shrinks(
    n_images: int, more: int, image_bytes: float
) -> None:
    sizes = [batch_size_for(n, image_bytes) for n in (n_images, n_images + more)]
    assert 32 <= sizes[0] <= sizes[1] <= 1024


@pytest.mark.parametrize(
    ("features", "image_bytes", "size"),
    [
        ("pixels", PHOTOGRAPH, 500),
        ("pixels", 4 * PHOTOGRAPH, 127),
        ("pixels", CAMERA, 32),
        ("hog", PHOTOGRAPH, 250),
        ("embedding", PHOTOGRAPH, 64),
        ("hog+color", CAMERA, 32),
    ],
)
def test_images_that_take_long_make_small_batches(
    features: str, image_bytes: float, size: int
) -> None:
    request = make_quick_request(features=features)
    assert choose_batch_size(request, 4_000, image_bytes) == size


def test_files_are_measured_without_those_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(bytes(3_000))
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    folder = Listing(str(tmp_path), ["a.jpg", "b.jpg", "gone.jpg", "\0.jpg"], Counter(), [])
    assert measure_image_bytes(folder) == 3_000
    assert measure_image_bytes(Listing(str(tmp_path), ["gone.jpg"], Counter(), [])) == 0


def test_of_many_files_some_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def measure(path: str) -> int:
        seen.append(path)
        return 7

    monkeypatch.setattr("shoal.producer.submission.batches.file_bytes", measure)
    paths = [f"{number:06}.jpg" for number in range(100_000)]
    assert measure_image_bytes(Listing(str(tmp_path), paths, Counter(), [])) == 7
    assert len(seen) == 64
    assert seen[-1] > f"{tmp_path}/098"


@given(st.integers(0, 5_000), st.integers(1, 4096), st.booleans())
def test_batches_together_are_the_paths(n_images: int, batch_size: int, tapered: bool) -> None:
    paths = [f"{number}.jpg" for number in range(n_images)]
    batches = split_batches(paths, batch_size, tapered=tapered)
    assert [path for batch in batches for path in batch] == paths
    assert all(1 <= len(batch) <= batch_size for batch in batches)


def test_a_batch_is_read_as_a_list_is() -> None:
    _, batch = split_batches([f"{number}.jpg" for number in range(6)], 4)
    assert list(batch) == ["4.jpg", "5.jpg"]
    assert (batch[0], batch[-1], batch[1:]) == ("4.jpg", "5.jpg", ["5.jpg"])
    with pytest.raises(IndexError):
        batch[2]


@given(st.integers(1, 5_000), st.integers(1, 4096))
def test_every_batch_but_the_last_is_full(n_images: int, batch_size: int) -> None:
    sizes = [len(batch) for batch in split_batches(["a.jpg"] * n_images, batch_size)]
    assert set(sizes[:-1]) <= {batch_size}


def test_tapered_batches_become_smaller_towards_the_end() -> None:
    assert choose_sizes(4000, 500, tapered=True) == [500] * 7 + [250, 125, 62, 31, 16, 16]
    # Smaller pieces would not pay.
    assert choose_sizes(500, 32, tapered=True) == [32] * 14 + [26, 13, 6, 4, 3]


LARGE = st.tuples(st.integers(1, 200_000), st.integers(1, 1024))


@given(LARGE)
def test_tapered_batches_are_all_images_and_never_grow(case: tuple[int, int]) -> None:
    n_images, batch_size = case
    sizes = choose_sizes(n_images, batch_size, tapered=True)
    assert sum(sizes) == n_images
    assert max(sizes) <= batch_size
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= min(n_images, batch_size, 4) / 2


@given(LARGE)
def test_smaller_last_batches_are_few(case: tuple[int, int]) -> None:
    n_images, batch_size = case
    plain, tapered = (len(choose_sizes(n_images, batch_size, tapered=t)) for t in (False, True))
    assert plain - 1 <= tapered <= 1.2 * plain + 8


@given(st.integers(2, 128), st.floats(16, 40), st.sampled_from([32, 64, 512]), st.integers())
def test_processes_end_at_about_the_same_time(
    processes: int, rounds: float, batch_size: int, seed: int
) -> None:
    sizes = choose_sizes(int(processes * rounds * batch_size), batch_size, tapered=True)
    ends = deal(sizes, processes, Random(seed))
    # One of the smallest batches at most, but for what differs between equal ones.
    assert max(ends) - min(ends) <= (0.2 if processes <= 32 else 0.4) * batch_size


def deal(sizes: list[int], processes: int, random: Random) -> list[float]:
    """Return when each process ends, in images, if the first that is free takes the next batch."""
    ends = [random.uniform(0, sizes[0]) for _ in range(processes)]
    heapify(ends)
    for size in sizes:
        heapreplace(ends, ends[0] + size * random.uniform(0.99, 1.01))
    return ends
