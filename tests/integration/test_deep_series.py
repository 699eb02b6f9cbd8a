"""Series of images of more than eight bits: one range of values for all images of a job."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from deep_pictures import write_deep_png
from numpy.typing import NDArray
from PIL import Image

from shoal.shared.images.isolation import IsolatedDecoder, make_order
from shoal.shared.images.values import AGREED_NAME, ValueRanges
from shoal.shared.jobs import Wave
from shoal.shared.store import Ledger
from shoal.worker.images.thumbnails import cut_sheet
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.finishing.plotting import load_tiles
from shoal.worker.stages.loading import ranges
from shoal.worker.stages.loading.loading import load_batch

SIDE = 48
# What a microscope's images are made of: where it is bright, in three ways.
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] / SIDE
PATTERNS = (
    np.sin(ROWS * 12) ** 2,
    np.sin(COLUMNS * 12) ** 2,
    ((ROWS - 0.5) ** 2 + (COLUMNS - 0.5) ** 2 < 0.1).astype(float),
)
Array = NDArray[Any]
Submit = Callable[..., Ledger]


def make_series(n_images: int, low: int, high: int, fade: float = 0.0) -> list[Array]:
    """Pictures of the patterns in turn, from ``low`` to ``high``, the last ones darker."""
    generator = np.random.default_rng(0)
    series = []
    for number in range(n_images):
        noisy = PATTERNS[number % 3] + generator.uniform(-0.1, 0.1, (SIDE, SIDE))
        light = 1 - fade * number / n_images
        series.append(np.rint(low + (high - low) * light * noisy.clip(0, 1)).astype(np.uint16))
    return series


def write_series(folder: Path, series: list[Array], dtype: Any) -> Path:
    folder.mkdir()
    for number, values in enumerate(series):
        tifffile.imwrite(folder / f"{number:03}.tif", values.astype(dtype))
    return folder


def features(context: WorkerContext, ledger: Ledger) -> Array:
    results = context.results(ledger.job_id)
    rows = [
        np.frombuffer(results.features(batch), shape.dtype).reshape(shape.rows, shape.columns)
        for batch, shape in enumerate(results.shapes())
    ]
    return np.concatenate(rows)


def find_agreed(ledger: Ledger) -> ValueRanges:
    return ValueRanges.from_text(ledger.agreed(AGREED_NAME))


@pytest.mark.parametrize("names", ["pixels", "hog+color"])
def test_values_of_eight_bits_in_files_of_sixteen_give_the_same_job(
    context: WorkerContext, submit: Submit, run: Submit, tmp_path: Path, names: str
) -> None:
    series = make_series(60, 30, 220)
    jobs = [
        run(submit(write_series(tmp_path / kind, series, kind), features=names, clusters=3))
        for kind in ("uint8", "uint16")
    ]
    eight, sixteen = (context.results(job.job_id) for job in jobs)
    np.testing.assert_array_equal(features(context, jobs[0]), features(context, jobs[1]))
    assert list(eight.labels()) == list(sixteen.labels())
    assert list(eight.thumbnails()) == list(sixteen.thumbnails())
    assert list(eight.pictures().values()) == list(sixteen.pictures().values())
    labels = [image.label for image in sixteen.assignments()]
    assert labels == labels[:3] * 20
    assert sixteen.summary().notes == ()
    assert jobs[0].agreed(AGREED_NAME) is None
    assert find_agreed(jobs[1]) == ValueRanges((0, 255))


@pytest.mark.parametrize("seed", [1, 2])
def test_twelve_bits_keep_their_relative_brightness_in_any_order_of_batches(
    context: WorkerContext, submit: Submit, run: Submit, tmp_path: Path, seed: int
) -> None:
    series = make_series(60, 100, 4000, fade=0.95)
    assert series[-1].max() < 400  # alone, it would be one of ten bits
    source = write_series(tmp_path / "series", series, np.uint16)
    ledger = run(submit(source, 7, image_size=SIDE), seed)
    assert find_agreed(ledger) == ValueRanges((0, 4095))
    found = features(context, ledger).reshape(-1, SIDE, SIDE, 3)[..., 0]
    np.testing.assert_array_equal(found, np.stack(series) >> 4)


def test_few_deep_images_among_many_others_are_in_the_sample(
    context: WorkerContext,
    submit: Submit,
    load: Callable[[Ledger], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranges, "SAMPLE_IMAGES", 8)
    for number in range(60):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / f"{number:03}.jpg")
    write_deep_png(tmp_path / "030.png", np.full((9, 9, 3), 900))
    tifffile.imwrite(tmp_path / "031.tif", np.full((9, 9), 0.4, np.float32))
    ledger = submit(tmp_path)
    load(ledger)
    assert find_agreed(ledger) == ValueRanges((0, 1023), (0, 1))
    deep = features(context, ledger)[[31, 33]]
    assert deep.min(axis=1).tolist() == deep.max(axis=1).tolist() == [900 >> 2, 102]


def test_an_image_that_cannot_be_read_is_no_part_of_the_sample(
    submit: Submit, load: Callable[[Ledger], None], tmp_path: Path
) -> None:
    source = write_series(tmp_path / "series", make_series(5, 0, 1000), np.uint16)
    (source / "002.tif").write_bytes((source / "002.tif").read_bytes()[:300])
    (source / "003.tif").write_bytes(b"")
    ledger = submit(source)
    load(ledger)
    assert find_agreed(ledger) == ValueRanges((0, 1023))
    assert ledger.status().images.failed == 2


def test_images_that_are_tried_again_keep_the_range_of_the_job(
    context: WorkerContext, submit: Submit, run: Submit, tmp_path: Path
) -> None:
    series = make_series(6, 0, 1000)
    source = write_series(tmp_path / "series", series, np.uint16)
    (source / "004.tif").write_bytes(b"")
    ledger = run(submit(source, image_size=SIDE))
    tifffile.imwrite(source / "004.tif", series[4] * 4)
    assert ledger.retry(failed_only=True) == [0]
    load_batch(context, ledger.job_id, 0, False)
    assert find_agreed(ledger) == ValueRanges((0, 1023))
    found = features(context, ledger).reshape(-1, SIDE, SIDE, 3)[..., 0]
    series[4] = (series[4] * 4).clip(0, 1023)
    np.testing.assert_array_equal(found, np.stack(series) >> 2)


def test_a_batch_that_has_killed_processes_is_loaded_with_the_same_range(
    context: WorkerContext, submit: Submit, tmp_path: Path
) -> None:
    series = make_series(4, 0, 1000)
    ledger = submit(write_series(tmp_path / "series", series, np.uint16), image_size=SIDE)
    ledger.client.hset(ledger.keys.attempts(Wave.LOADING), "0", 2)
    load_batch(context, ledger.job_id, 0, True)
    found = features(context, ledger).reshape(-1, SIDE, SIDE, 3)[..., 0]
    np.testing.assert_array_equal(found, np.stack(series) >> 2)


def test_a_job_of_eight_bits_measures_nothing(
    submit: Submit,
    load: Callable[[Ledger], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranges, "IsolatedDecoder", None)
    for number, (mode, suffix) in enumerate([("RGB", "png"), ("L", "tif"), ("P", "gif")]):
        Image.new(mode, (9, 9)).save(tmp_path / f"{number}.{suffix}")
    ledger = submit(tmp_path)
    load(ledger)
    assert ledger.agreed(AGREED_NAME) is None


def test_the_pictures_of_the_page_and_of_the_contact_sheet_have_the_range_of_the_job(
    context: WorkerContext, submit: Submit, load: Callable[[Ledger], None], tmp_path: Path
) -> None:
    source = write_series(tmp_path / "series", [np.full((9, 9), 512, np.uint16)] * 3, np.uint16)
    ledger = submit(source)
    load(ledger)
    agreed = find_agreed(ledger)
    assert agreed == ValueRanges((0, 1023))
    tile = load_tiles(["000.tif"], source.joinpath, context, lambda: None, agreed)["000.tif"]
    assert (np.asarray(tile) == 128).all()
    (sheet,) = context.results(ledger.job_id).thumbnails()
    assert np.abs(cut_sheet(sheet, 3)["pixels"].astype(int) - 128).max() <= 2
    order = make_order(context.settings, "shoal.worker.images.preview:load_preview", 9)
    with IsolatedDecoder(order) as decoder:
        shown = Image.open(BytesIO(decoder.decode(source / "000.tif", agreed)))
    assert np.abs(np.asarray(shown).astype(int) - 128).max() <= 2


def test_many_images_of_one_colour_are_noted(
    context: WorkerContext, submit: Submit, run: Submit, tmp_path: Path
) -> None:
    for number in range(40):
        picture = Image.new("L", (32, 32), 0)
        if number >= 12:
            picture.paste(255, (0, 0, 16, number % 16 + 4))
        picture.save(tmp_path / f"{number:02}.png")
    ledger = run(submit(tmp_path))
    (note,) = context.results(ledger.job_id).summary().notes
    assert note.startswith("12 of 40 images are of nearly one colour each")
