"""Networks as extractors: the shipped one, others, and those that do not fit."""

import json
import multiprocessing
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_graph import BYTES, FLOAT, HALF, Shape, node, tensor, write_graph, write_mean_color
from PIL import Image
from skimage import data

from shoal.shared.errors import UsageError
from shoal.worker.extractors import extract_blocks, find_extractor, find_extractors, image_model
from shoal.worker.extractors.embedding import SHIPPED_MODEL, check_model, make_embedding

HALVES = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def write_notes(model: Path, **notes: Any) -> None:
    model.with_suffix(".json").write_text(json.dumps(notes))


def paint(image_size: int = 4) -> NDArray[np.uint8]:
    """Return a red image and one whose upper half is white."""
    images = np.zeros((2, image_size, image_size, 3), np.uint8)
    images[0, ..., 0] = 255
    images[1, : image_size // 2] = 255
    return images


def embed(model: Path, images: NDArray[np.uint8]) -> list[list[float]]:
    features = make_embedding(model).extract(images)
    assert features.dtype == np.float32
    rows: list[list[float]] = features.tolist()
    return rows


def same_length(*numbers: float) -> Any:
    """Return about these numbers, scaled to a row of the length 1."""
    return pytest.approx((np.array(numbers) / np.linalg.norm(numbers)).tolist(), rel=1e-6)


def photographs(image_size: int) -> NDArray[np.uint8]:
    pictures = [data.astronaut(), data.chelsea(), data.coffee()]
    squares = [Image.fromarray(p).resize((image_size, image_size)) for p in pictures]
    return np.stack([np.asarray(square) for square in squares])


def test_the_shipped_model_comes_with_its_licence_and_notice() -> None:
    models = files("shoal.worker.extractors") / "models"
    assert (models / SHIPPED_MODEL.name).is_file()
    assert "Apache License" in (models / "LICENSE-APACHE-2.0.txt").read_text()
    assert SHIPPED_MODEL.name in (models / "NOTICE.md").read_text()


def test_the_shipped_model_sees_an_image_alone_as_among_others() -> None:
    images = photographs(260)
    embedding = find_extractor("embedding")
    images = np.concatenate([images, 255 - images])  # more than a batch of the network
    together = embedding.extract(images)
    assert together.shape == (6, 1280)
    assert np.array_equal(embedding.extract(images[1:2]), together[1:2])
    assert np.array_equal(embedding.extract(images[::-1]), together[::-1])


def test_the_shipped_model_tells_photographs_apart_at_other_sizes_too() -> None:
    large, small = (find_extractor("embedding").extract(photographs(size)) for size in (260, 130))
    distances = np.linalg.norm(large[:, np.newaxis] - small, axis=2)
    assert distances.argmin(axis=1).tolist() == [0, 1, 2]


def test_embedding_and_color_share_the_job_s_image_size() -> None:
    features, widths = extract_blocks(find_extractors("embedding+color"), photographs(64))
    assert (features.shape, widths) == ((3, 1331), (1280, 51))


def test_a_model_of_bytes_needs_no_notes(model: Path) -> None:
    write_graph(
        model,
        [
            node("Cast", "image", "floats", to=FLOAT),
            node("ReduceMean", "floats", "mean", axes=[1, 2], keepdims=0),
        ],
        [tensor("image", BYTES, ["n", 4, 4, 3])],
        [tensor("mean", FLOAT, ["n", 3])],
    )
    assert make_embedding(model).image_size == 4
    for image_size in (4, 16):
        assert embed(model, paint(image_size)) == [[1, 0, 0], same_length(1, 1, 1)]


@pytest.mark.parametrize("shape", [["n", 3, 4, 4], [1, 3, 4, 4], ["n", 4, 4, 3]])
def test_floats_are_normalised_as_the_notes_say(model: Path, shape: Shape) -> None:
    write_mean_color(model, FLOAT, shape)
    write_notes(model, output="mean", **HALVES)
    assert embed(model, paint()) == [same_length(1, -1, -1), [0, 0, 0]]
    other = write_mean_color(model.with_name("other.onnx"), FLOAT, shape)
    notes = {"scale": 1, "mean": [0, 1, 2], "std": [1, 1, 2], "square_root": False}
    write_notes(other, output="mean", **notes)
    assert embed(other, paint())[0] == same_length(255, -1, -1)


def test_square_roots_are_compared_where_no_number_is_negative_or_as_the_notes_say(
    model: Path,
) -> None:
    image = np.full((1, 4, 4, 3), [144, 25, 0], np.uint8)
    write_mean_color(model, BYTES, ["n", 4, 4, 3])
    write_notes(model, output="mean")
    assert embed(model, image) == [same_length(12, 5, 0)]
    for name, wanted, expected in (("yes", True, (12, -5, 0)), ("no", False, (144, -25, 0))):
        other = write_mean_color(model.with_name(f"{name}.onnx"), FLOAT, ["n", 4, 4, 3])
        notes = {"output": "mean", "scale": 1, "mean": [0, 50, 0], "std": [1, 1, 1]}
        write_notes(other, **notes, square_root=wanted)
        assert embed(other, image) == [same_length(*expected)]


def test_a_graph_may_run_several_images_at_once(model: Path) -> None:
    write_mean_color(model, BYTES, ["n", 4, 4, 3])
    write_notes(model, output="rows", pooling="first", batch_size=3)
    images = np.concatenate([paint(), paint()])
    assert embed(model, images) == embed(model, images[:2]) * 2
    single = write_mean_color(model.with_name("single.onnx"), BYTES, [1, 4, 4, 3])
    write_notes(single, output="mean", batch_size=3)
    with pytest.raises(UsageError, match=r"single\.onnx takes 1 image at once: .*`batch_size`"):
        check_model(single)


def test_a_graph_of_any_size_and_layout_is_told_both(model: Path) -> None:
    write_mean_color(model, FLOAT, ["n", "height", "width", "channels"])
    write_notes(model, output="mean", layout="NHWC", image_size=8, **HALVES)
    assert make_embedding(model).image_size == 8
    assert embed(model, paint()) == [same_length(1, -1, -1), [0, 0, 0]]


def test_tokens_are_pooled_as_the_notes_say(model: Path) -> None:
    write_mean_color(model, BYTES, ["n", 4, 4, 3])
    write_notes(model, output="rows", pooling="first")
    assert embed(model, paint())[1] == same_length(1, 1, 1)
    other = write_mean_color(model.with_name("other.onnx"), BYTES, ["n", 4, 4, 3])
    write_notes(other, output="rows", pooling="mean")
    assert embed(other, paint())[1] == same_length(1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "shape", "notes", "message"),
    [
        (FLOAT, ["n", 3, 4, 4], {"output": "mean"}, r"must say `mean` and `std`.*model\.json"),
        (FLOAT, ["n", 3, 4, 4], {"output": "mean", "mean": [0, 0, 0]}, "must say `mean` and `std`"),
        (BYTES, ["n", 3, 4, 4], {"output": "mean", **HALVES}, "do not apply"),
        (HALF, ["n", 3, 4, 4], {"output": "mean"}, "not uint8 or float32"),
        (BYTES, ["n", 3, "h", "w"], {"output": "mean"}, "must say `image_size`"),
        (BYTES, ["n", 3, 4, 6], {"output": "mean"}, "4 × 6 pixels"),
        (BYTES, ["n", 3, 4, 4], {"output": "mean", "image_size": 5}, r"contradict \(5\)"),
        (BYTES, ["n", 1, 4, 4], {"output": "mean"}, "must say `layout`"),
        (BYTES, ["n", 1, 4, 4], {"output": "mean", "layout": "NCHW"}, "not NCHW of RGB"),
        (BYTES, [8, 3, 4, 4], {"output": "mean"}, "8 images at once"),
        (BYTES, ["n", 3, 4, 4], {}, "outputs mean, rows: `output` in model.json"),
        (BYTES, ["n", 3, 4, 4], {"output": "no"}, "outputs mean, rows: `output` in model.json"),
        (BYTES, ["n", 3, 4, 4], {"output": "rows"}, "with `pooling`"),
        (BYTES, ["n", 3, 4, 4], {"output": "mean", "pooling": "mean"}, "has shape"),
        (BYTES, ["n", 3, 4, 4], {"outptu": "mean"}, "unknown field 'outptu'; there are layout"),
        (BYTES, ["n", 3, 4, 4], {"pooling": "max"}, "pooling must be first or mean"),
        (BYTES, ["n", 3, 4, 4], {"std": [1, 0, 1]}, "std must be three numbers above 0"),
    ],
)
def test_a_model_that_does_not_fit_says_why(
    model: Path, kind: int, shape: Shape, notes: dict[str, Any], message: str
) -> None:
    write_mean_color(model, kind, shape)
    write_notes(model, **notes)
    with pytest.raises(UsageError, match=message) as raised:
        check_model(model)
    assert str(model.with_suffix("")) in str(raised.value)


def test_what_is_no_model_is_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used as an ONNX model"):
        check_model(model)
    model.write_bytes(b"GIF89a")
    with pytest.raises(UsageError, match=r"model\.onnx cannot be used as an ONNX model"):
        check_model(model)


def test_a_model_of_images_and_texts_is_refused(model: Path) -> None:
    texts = tensor("texts", FLOAT, ["n", 3, 4, 4])
    inputs = [tensor("image", FLOAT, ["n", 3, 4, 4]), texts]
    outputs = [tensor("both", FLOAT, ["n", 3, 4, 4])]
    write_graph(model, [node("Identity", "image", "both")], inputs, outputs)
    with pytest.raises(UsageError, match=r"takes 2 inputs \(image, texts\)"):
        check_model(model)


def test_a_model_of_rows_is_refused(model: Path) -> None:
    same = [node("Identity", "rows", "same")]
    write_graph(model, same, [tensor("rows", FLOAT, [1, 9])], [tensor("same", FLOAT, [1, 9])])
    with pytest.raises(UsageError, match=r"shape \[1, 9\], which does not have four"):
        check_model(model)


def test_features_that_are_no_numbers_are_refused(model: Path) -> None:
    write_graph(
        model,
        [node("Log", "image", "logs"), node("ReduceMax", "logs", "most", axes=[2, 3], keepdims=0)],
        [tensor("image", FLOAT, ["n", 3, 4, 4])],
        [tensor("most", FLOAT, ["n", 3])],
    )
    write_notes(model, mean=[0, 0, 0], std=[1, 1, 1])
    with pytest.raises(UsageError, match="not finite"):
        check_model(model)


def test_the_digest_tells_models_and_their_notes_apart(model: Path) -> None:
    write_mean_color(model, FLOAT, ["n", 3, 4, 4])
    digests = []
    for notes in (HALVES, HALVES | {"scale": 1}):
        write_notes(model, output="mean", **notes)
        digests.append(check_model(model))
    model.with_name("model.onnx.data").write_bytes(b"weights")
    digests.append(check_model(model))
    assert len({*digests, check_model()}) == 4
    assert check_model(model) == digests[-1]


def test_the_digest_is_of_the_model_that_runs_and_not_of_what_replaced_its_file(
    model: Path,
) -> None:
    write_mean_color(model, FLOAT, ["n", 3, 4, 4])
    write_notes(model, output="mean", **HALVES)
    before, rows = make_embedding(model).digest, embed(model, paint())
    write_notes(model, output="mean", **HALVES, scale=1)
    assert check_model(model) != before
    assert (make_embedding(model).digest, embed(model, paint())) == (before, rows)


def test_a_model_whose_file_is_replaced_while_it_is_read_is_read_again(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mean_color(model, FLOAT, ["n", 3, 4, 4])
    notes = {"output": "mean", **HALVES}
    write_notes(model, **notes, scale=1)
    check_after = check_model(model)
    write_notes(model, **notes)
    changes = iter([{**notes, "scale": 1}])
    digest = image_model._digest_model

    def digest_late(path: Path) -> str:
        for change in changes:
            write_notes(path, **change)
        return digest(path)

    monkeypatch.setattr(image_model, "_digest_model", digest_late)
    loaded = image_model.ImageModel.load(model)
    assert (loaded.digest, loaded.notes.scale) == (check_after, 1)
    changes = iter([{**notes, "batch_size": size} for size in range(1, 9)])
    monkeypatch.setattr(
        image_model, "_digest_model", lambda path: write_notes(path, **next(changes))
    )
    with pytest.raises(UsageError, match="changes while it is read"):
        image_model.ImageModel.load(model)


def test_without_onnxruntime_the_remedy_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install onnxruntime"):
        make_embedding(model)


def test_a_network_runs_without_a_trace_of_telemetry_in_the_home(tmp_path: Path) -> None:
    code = "from shoal.worker.extractors.embedding import check_model; check_model()"
    # Nothing of this environment: onnxruntime sends nothing where CI or a test's variable is set.
    alone = {"HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    subprocess.run([sys.executable, "-c", code], env=alone, cwd=tmp_path, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_a_forked_worker_runs_a_session_of_its_own() -> None:
    check_model()
    images = photographs(260)
    here = make_embedding().extract(images)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply_async(make_embedding().extract, (images,)).get(timeout=60)
    assert np.array_equal(here, there)


def test_a_forked_worker_notices_that_a_model_has_changed_and_this_one_keeps_its_own(
    model: Path,
) -> None:
    write_mean_color(model, FLOAT, ["n", 3, 4, 4])
    write_notes(model, output="mean", **HALVES)
    before = find_digest(model)
    write_notes(model, output="mean", **HALVES, scale=1)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply_async(find_digest, (model,)).get(timeout=60)
    assert there == check_model(model) != before
    assert find_digest(model) == before


def find_digest(model: Path) -> str:
    return find_extractors("embedding", model)[0].digest
