"""The model of a job, as whoever has its file uses it: it gives the bits that the job has."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deep_pictures import write_deep_png
from onnx_graph import BYTES, write_mean_color
from picture_files import write_picture
from PIL import Image

from benchmarks.photographs import make_photographs
from shoal import Model, UnreadableImageError, UsageError
from shoal.shared.findings import FailureReason
from shoal.shared.store import Kind, Ledger, Results
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.labelling import LABEL_DTYPE

Start = Callable[..., Ledger]
PHOTOGRAPHS = 30
BROKEN = {"broken.jpg": b"\xff\xd8\xff\xe0", "empty.png": b"", "text.gif": b"text"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, and pictures of all kinds among them."""
    folder = tmp_path_factory.mktemp("pictures")
    photographs = sorted(make_photographs(folder, PHOTOGRAPHS).rglob("*.jpg"))
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photographs[0]) as picture:
        picture.save(folder / "turned.jpg", exif=exif)
        picture.convert("CMYK").save(folder / "cmyk.jpg")
        picture.convert("L").save(folder / "grey.webp")
        picture.convert("RGBA").rotate(30).save(folder / "transparent.png")
        frames = [picture.resize((90, 60)).rotate(90 * turn) for turn in range(3)]
        frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
        for form in ("jp2", "psd", "tga", "heic", "jxl"):
            write_picture(folder / f"of.{form}", picture.resize((120, 80)))
        twelve_bits = np.asarray(picture.resize((90, 60))).astype(np.uint16) << 4
        write_deep_png(folder / "deep.png", twelve_bits)
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)
    return folder


def check_same(results: Results, model: Model, source: str, **options: Any) -> None:
    """Check that a model gives the labels, distances and coordinates of its job, bit by bit."""
    paths = [path for n in range(results.n_batches()) for path in results.loaded_paths(n)]
    rows = np.frombuffer(b"".join(results.labels()), LABEL_DTYPE)
    names = results.shards.names(Kind.COORDINATES)
    raw = b"".join(bytes(results.shards.read(names[n])) for n in sorted(names))
    everything = [f"{source}/{path}" for path in [*paths, *BROKEN]]
    found = model.assign(everything, **options)
    assert found.paths == everything[: len(paths)]
    np.testing.assert_array_equal(found.labels, rows["label"])
    np.testing.assert_array_equal(found.distances, rows["distance"])
    coordinates = np.frombuffer(raw, "<f4").reshape(len(paths), -1)
    np.testing.assert_array_equal(found.coordinates, coordinates)
    assert {Path(failure.path).name for failure in found.failures} == set(BROKEN)
    some = found.paths[::-7]
    np.testing.assert_array_equal(model.predict(some), rows["label"][::-7])
    np.testing.assert_array_equal(model.transform(some), coordinates[::-7])


@pytest.mark.parametrize(
    "options",
    [
        {"features": "pixels"},
        {"features": "pixels", "image_size": 61, "clusters": "auto", "components": 3},
        {"features": "color", "algorithm": "minibatch"},
        {"features": "hog+color", "image_size": 64, "clusters": "auto"},
        {"features": "lbp", "image_size": 64, "algorithm": "hdbscan", "clusters": "auto"},
        {"features": "embedding", "image_size": 260, "clusters": "auto"},
        {"features": "embedding+hog", "image_size": 260},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_a_model_gives_the_labels_and_distances_of_its_job_to_the_last_bit(
    context: WorkerContext, submit: Start, run: Start, folder: Path, options: dict[str, Any]
) -> None:
    ledger = run(submit(folder, 11, **options))
    results = context.results(ledger.job_id)
    model = Model.from_bytes(results.model())
    assert model.features == options["features"]
    check_same(results, model, ledger.request.source)
    check_same(results, model, ledger.request.source, n_jobs=1)


def test_a_network_of_your_own_is_named_and_another_is_refused(
    context: WorkerContext,
    submit: Start,
    run: Start,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = write_mean_color(tmp_path / "mean.onnx", BYTES, ["n", 24, 24, 3])
    network.with_suffix(".json").write_text('{"output": "mean", "layout": "NHWC"}')
    monkeypatch.setitem(vars(context.settings), "embedding_model", network)
    ledger = run(submit(folder, 50, features="embedding", image_size=24, clusters=3))
    results = context.results(ledger.job_id)
    file = tmp_path / "model.npz"
    file.write_bytes(results.model())
    check_same(results, Model.load(file, embedding_model=network), ledger.request.source)
    with pytest.raises(UsageError, match=r"another one here than .*: give .*`embedding_model`"):
        Model.load(file)


def install_package(site: Path) -> None:
    """Put a package of one module with the features ``means`` beside its metadata, as pip would."""
    (site / "mean_features.py").write_text(
        "import numpy as np\n"
        "def extract(images):\n    return images.mean(axis=(1, 2)).astype(np.float32)\n"
        "extract.image_size = 8\n"
    )
    information = site / "mean_features-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: mean_features\n")
    entry = "[shoal.features]\nmeans = mean_features:extract\n"
    (information / "entry_points.txt").write_text(entry)


def test_features_of_a_package_are_used_and_refused_once_its_code_changed(
    context: WorkerContext,
    submit: Start,
    run: Start,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    ledger = run(submit(folder, 9, features="means", image_size=8, clusters=3))
    results = context.results(ledger.job_id)
    check_same(results, Model.from_bytes(results.model()), ledger.request.source)
    monkeypatch.setattr("shoal.worker.extractors.plugins._digest_code", lambda _: "of other code")
    with pytest.raises(UsageError, match=r"code of the features 'means' is another one"):
        Model.from_bytes(results.model())


@pytest.fixture
def model(context: WorkerContext, submit: Start, run: Start, folder: Path) -> Model:
    ledger = run(submit(folder, 50, image_size=16, clusters=3))
    return Model.from_bytes(context.results(ledger.job_id).model())


def test_a_file_that_cannot_be_used_is_named(model: Model, folder: Path) -> None:
    with pytest.raises(UnreadableImageError, match=r"empty\.png: 0 bytes \(`assign`") as raised:
        model.predict([folder / "turned.jpg", folder / "empty.png"])
    assert raised.value.reason is FailureReason.EMPTY
    found = model.assign([folder / "gone.jpg"])
    assert [failure.reason for failure in found.failures] == [FailureReason.MISSING]
    assert found.labels.shape == found.distances.shape == (0,)
    assert found.coordinates.shape == (0, model.n_components)


def test_no_files_have_no_labels(model: Model) -> None:
    assert model.predict([]).tolist() == []
    assert model.transform([]).shape == (0, model.n_components)


def test_what_is_no_list_of_paths_or_number_of_threads_is_refused(model: Model) -> None:
    with pytest.raises(UsageError, match=r"use \['photos'\]"):
        model.predict("photos")
    with pytest.raises(UsageError, match="n_jobs=0"):
        model.predict([], n_jobs=0)


def test_a_model_shows_what_it_is(model: Model) -> None:
    assert repr(model).startswith("Model(features='pixels', image_size=16, n_clusters=3, n_comp")
    assert model.centroids.shape == (model.n_clusters, model.n_components)


@pytest.mark.parametrize(
    ("provenance", "message"),
    [
        ("", "does not say how its features were extracted"),
        ('{"results_version": 1}', "extracts other features"),
        ("{", "damaged"),
    ],
)
def test_a_model_of_another_version_says_what_to_do(
    model: Model, provenance: str, message: str
) -> None:
    other = replace(model._fitted, provenance=provenance)
    with pytest.raises(UsageError, match=message):
        Model.from_bytes(other.to_bytes())


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(b"no model")
    with pytest.raises(UsageError, match=r"not the model\.npz of a job"):
        Model.load(tmp_path / "model.npz")
    with pytest.raises(FileNotFoundError):
        Model.load(tmp_path / "gone.npz")


def test_rows_of_another_length_are_a_usage_error(model: Model, folder: Path) -> None:
    fitted: FittedModel = replace(model._fitted, image_size=17)
    with pytest.raises(UsageError, match="features 'pixels' differ here"):
        Model.from_bytes(fitted.to_bytes()).predict([folder / "turned.jpg"])


def test_threads_leave_pillow_s_own_limit_as_it_was(
    model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1234567)
    model.assign(sorted(folder.glob("*.*")) * 5, n_jobs=8)
    assert Image.MAX_IMAGE_PIXELS == 1234567
