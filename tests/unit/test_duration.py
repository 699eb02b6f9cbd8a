"""What is said of a job that takes minutes: when it is measured, and in which words."""

import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from quick import make_quick_request

from shoal.producer.cli import duration
from shoal.producer.cli.duration import Duration, choose_samples, make_line
from shoal.producer.cli.words import in_commands
from shoal.producer.submission.listing import Listing
from shoal.shared.errors import UsageError
from shoal.shared.jobs import JobRequest
from shoal.shared.settings import Settings
from shoal.worker.memory import LIMIT
from shoal.worker.stages.loading import measuring
from shoal.worker.stages.loading.measuring import measure_seconds
from shoal.worker.stages.loading.reading import load_images

MEGABYTE = 2**20


def make_duration(
    n_images: int, processes: int = 2, settings: Settings | None = None, **options: Any
) -> Duration:
    folder = Listing("/photographs", ["a.jpg"] * n_images, Counter(), [])
    return Duration(folder, make_quick_request(**options), settings or Settings(), processes)


@pytest.mark.parametrize(
    ("n_images", "file_bytes", "features", "may_be"),
    [
        (300, 5 * MEGABYTE, "embedding", False),
        (1_000, 5 * MEGABYTE, "embedding", True),
        (10_000, 30_000, "embedding+hog", False),
        (20_000, 30_000, "embedding+hog", True),
        (20_000, 30_000, "pixels", False),
        (200_000, 30_000, "pixels", True),
        (200, 30_000, "of-another-package", False),
        (300, 30_000, "of-another-package", True),
    ],
)
def test_only_a_job_that_may_take_minutes_is_measured(
    monkeypatch: pytest.MonkeyPatch, n_images: int, file_bytes: int, features: str, may_be: bool
) -> None:
    monkeypatch.setattr(duration, "measure_image_bytes", lambda _: file_bytes)
    monkeypatch.setattr(duration, "split_features", lambda features: features.split("+"))
    assert make_duration(n_images, features=features).may_be_minutes() is may_be


def test_more_processes_take_less_and_a_model_of_ones_own_may_take_more() -> None:
    assert make_duration(20_000, features="embedding").may_be_minutes()
    assert not make_duration(20_000, processes=20, features="embedding").may_be_minutes()
    own = Settings(embedding_model=Path("/own.onnx"))
    assert not make_duration(400, features="embedding").may_be_minutes()
    assert make_duration(400, settings=own, features="embedding").may_be_minutes()
    assert not make_duration(400, settings=own, features="hog").may_be_minutes()


@pytest.mark.parametrize(
    ("n_images", "seconds", "line"),
    [
        (
            280_000,
            (720, 120),
            "About 12 minutes for 280,000 images (389 images/s); `--features color`, which sees"
            " colours only, takes about 2 minutes.",
        ),
        (280_000, (720, 700), "About 12 minutes for 280,000 images (389 images/s)."),
        (280_000, (720,), "About 12 minutes for 280,000 images (389 images/s)."),
        (30_000_000, (80_000, 7_300), "About 22 hours for 30,000,000 images (375 images/s);"),
        (1_000, (130, 10), "takes about 1 minute."),
        (50_000, (119, 20), ""),
    ],
)
def test_the_line_names_the_time_and_what_is_faster(
    n_images: int, seconds: tuple[float, ...], line: str
) -> None:
    made = in_commands(make_line(n_images, *seconds))
    assert line in made
    assert bool(made) is bool(line)


def test_samples_are_from_all_over_the_folder_and_none_is_read_twice() -> None:
    paths = [f"{number:06}.jpg" for number in range(10_000)]
    first, second = choose_samples(paths, 2)
    assert not set(first) & set(second)
    assert {len(first), len(second)} == {63, 64}
    assert [min(first[:8]) < "001500.jpg", max(first[:8]) > "008000.jpg"] == [True, True]
    assert choose_samples(["a.jpg"], 2) == [["a.jpg"], []]


@pytest.fixture
def folder(tmp_path: Path) -> Listing:
    for number in range(20):
        Image.new("RGB", (50, 40), (number, 0, 0)).save(tmp_path / f"{number:02}.png")
    (tmp_path / "10.png").write_bytes(b"no image")
    return Listing(str(tmp_path), sorted(path.name for path in tmp_path.iterdir()), Counter(), [])


def test_a_job_is_measured_as_workers_load_it_and_the_faster_way_too(
    folder: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duration, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(duration, "FASTER_SHARE", 1e9)
    request = make_quick_request(source=str(folder.source), features="hog", image_size=64)
    line = Duration(folder, request, Settings(), 2).describe()
    assert line.startswith("About 1 minute for 20 images (")
    assert "`features='color'`" in line
    quick = make_quick_request(source=str(folder.source))
    assert "color" not in Duration(folder, quick, Settings(), 2).describe()


@pytest.mark.parametrize("fault", ["ends", "is missing"])
def test_what_cannot_be_measured_is_not_told(
    folder: Listing, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(duration, "LONG_SECONDS", 0.0)
    if fault == "is missing":
        monkeypatch.setattr("sys.executable", "/no/such/python")
    request = make_quick_request(source=str(folder.source), features="no-such-features")
    assert Duration(folder, request, Settings(), 2)._measure([request]) == []


PRINTING = """
from shoal.worker.stages.loading import measuring
find = measuring.find_extractors
def find_and_print(*arguments):
    print("loading a model")
    return find(*arguments)
measuring.find_extractors = find_and_print
measuring.main()
"""


def test_what_features_print_is_not_taken_for_the_time(
    folder: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duration, "MEASURE", PRINTING)
    request = make_quick_request(source=str(folder.source))
    (rate,) = Duration(folder, request, Settings(), 2)._measure([request])
    assert rate > 0


def test_loading_ends_early_where_images_take_long(folder: Listing) -> None:
    request = JobRequest(source=str(folder.source), features="pixels", image_size=8)
    assert measure_seconds(request, list(folder.paths), 0.0, Settings()) > 0
    unknown = JobRequest(source="/", features="dreams")
    with pytest.raises(UsageError, match="No features are named"):
        measure_seconds(unknown, list(folder.paths), 0.0, Settings())


@pytest.mark.skipif(sys.platform == "darwin", reason="has no limit of memory")
def test_an_image_that_takes_all_memory_costs_the_measurement_no_more_than_a_worker(
    folder: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []

    def note_and_load(*arguments: Any) -> Any:
        limits.append(resource.getrlimit(LIMIT)[0])
        return load_images(*arguments)

    monkeypatch.setattr(measuring, "load_images", note_and_load)
    request = make_quick_request(source=str(folder.source), image_size=8)
    measure_seconds(request, list(folder.paths), 0.0, Settings())
    assert limits
    assert resource.RLIM_INFINITY not in limits
    assert resource.getrlimit(LIMIT)[0] not in limits
