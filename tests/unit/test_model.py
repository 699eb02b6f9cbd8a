import subprocess
import sys
from contextlib import suppress
from dataclasses import fields, replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.worker.clustering.centroids import nearest
from shoal.worker.model.model import FittedModel


def make_model(n_features: int = 12, n_components: int = 3, n_clusters: int = 4) -> FittedModel:
    rng = np.random.default_rng(0)
    return FittedModel(
        mean=rng.uniform(50, 200, n_features),
        scale=rng.uniform(1, 60, n_features),
        components=rng.standard_normal((n_components, n_features)).astype(np.float32),
        centroids=rng.standard_normal((n_clusters, n_components)),
        explained_variance=np.arange(n_components, 0, -1.0),
        explained_variance_ratio=np.full(n_components, 0.1),
        inertia=12.5,
        rows_fitted=100,
        image_size=2,
    )


def make_pixels(n_samples: int = 700, n_features: int = 12) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n_samples, n_features), dtype=np.uint8)


def line_model() -> FittedModel:
    """One feature, as it is: mean 0, scale 1, one component; centroids at 0 and 10."""
    return replace(
        make_model(1, 1),
        mean=np.zeros(1),
        scale=np.ones(1),
        components=np.ones((1, 1), np.float32),
        centroids=np.array([[0.0], [10.0]]),
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_project_scales_and_rotates_features_of_any_type(dtype: type) -> None:
    model, pixels = make_model(), make_pixels()
    expected = (pixels - model.mean) / model.scale @ model.components.T
    projected = model.project(pixels.astype(dtype))
    assert projected.dtype == np.float32
    np.testing.assert_allclose(projected, expected, rtol=1e-4, atol=1e-4)


def test_project_keeps_its_precision_far_from_zero() -> None:
    model = replace(make_model(), mean=np.full(12, 1e7), scale=np.full(12, 1e-2))
    deviations = np.random.default_rng(2).standard_normal((50, 12)) * 1e-2
    expected = deviations / model.scale @ model.components.T
    np.testing.assert_allclose(model.project(deviations + 1e7), expected, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("n_features", [12, 1280, 3000, 120_000])
def test_a_row_has_the_same_bits_alone_and_anywhere_among_others(
    n_features: int, dtype: type
) -> None:
    model, pixels = make_model(n_features, 50), make_pixels(150, n_features)
    pixels = pixels.astype(dtype)
    labelled = model.label(pixels)
    order = np.random.default_rng(0).permutation(150)
    for rows in (order, order[:1], order[:37], order[:129], np.array([149])):
        alone = model.label(pixels[rows])
        np.testing.assert_array_equal(alone.projected, labelled.projected[rows])
        np.testing.assert_array_equal(alone.distances, labelled.distances[rows])
        np.testing.assert_array_equal(alone.labels, labelled.labels[rows])


def test_coordinates_are_those_of_the_plain_formula_to_the_last_bit() -> None:
    model, pixels = make_model(768, 50), make_pixels(150, 768)
    plain = (pixels - model.mean) @ (model.components / model.scale).T
    np.testing.assert_array_equal(model.project(pixels), plain.astype(np.float32))


def test_a_model_of_an_earlier_version_lacks_what_that_did_not_note() -> None:
    with np.load(BytesIO(make_model().to_bytes())) as arrays:
        earlier = {name: arrays[name] for name in arrays if name != "provenance"}
    file = BytesIO()
    np.savez(file, **earlier, of_a_later_version=np.zeros(3))
    model, pixels = FittedModel.from_bytes(file.getvalue()), make_pixels()
    assert model.provenance == ""
    np.testing.assert_array_equal(model.label(pixels).labels, make_model().label(pixels).labels)


def test_no_rows_project_to_no_rows() -> None:
    labelled = make_model().label(np.empty((0, 12), np.uint8))
    assert labelled.labels.shape == (0,)
    assert labelled.coordinates.shape == (0, 2)


@pytest.mark.parametrize("shape", [(3, 11), (12,)])
def test_rows_of_another_length_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"is not \(n_samples, 12\)"):
        make_model().project(np.zeros(shape, np.uint8))


def test_each_row_belongs_to_its_nearest_centroid_at_its_distance() -> None:
    labelled = line_model().label(np.array([[1], [4], [7], [13]], np.uint8))
    assert labelled.labels.tolist() == [0, 0, 1, 1]
    assert labelled.distances.tolist() == [1, 4, 3, 3]
    assert labelled.labels.dtype == np.int32
    assert labelled.distances.dtype == np.float32


def test_a_row_between_two_centroids_gets_the_lower_label() -> None:
    assert line_model().label(np.array([[5]], np.uint8)).labels.tolist() == [0]


def test_coordinates_are_the_first_two_components() -> None:
    model, pixels = make_model(), make_pixels()
    np.testing.assert_array_equal(model.label(pixels).coordinates, model.project(pixels)[:, :2])


def test_the_second_coordinate_is_zero_where_there_is_one_component() -> None:
    assert line_model().label(np.array([[3]], np.uint8)).coordinates.tolist() == [[3, 0]]


def test_nearest_agrees_with_all_distances() -> None:
    rng = np.random.default_rng(3)
    rows, centroids = rng.standard_normal((3000, 5)), rng.standard_normal((40, 5))
    distances = np.linalg.norm(rows[:, None] - centroids, axis=2)
    np.testing.assert_array_equal(nearest(rows, centroids), distances.argmin(axis=1))


def test_a_model_survives_its_bytes() -> None:
    model, pixels = make_model(), make_pixels()
    copy = FittedModel.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(copy.label(pixels).distances, model.label(pixels).distances)
    assert (copy.features, copy.image_size, copy.rows_fitted) == ("pixels", 2, 100)
    assert type(copy.inertia) is float
    assert copy.to_bytes() == model.to_bytes()


def test_bytes_that_are_not_a_model_are_refused() -> None:
    whole = make_model().to_bytes()
    for rubbish in (b"", b"rubbish", whole[:100], whole[:-100], whole.replace(b"scale", b"other")):
        with pytest.raises(ValueError, match="not a model"):
            FittedModel.from_bytes(rubbish)


def test_of_other_bytes_nobody_is_told_how_to_load_them_unsafely() -> None:
    with pytest.raises(ValueError, match="do not begin as") as refused:
        FittedModel.from_bytes(b"\x89PNG\r\n\x1a\n")
    assert "pickle" not in str(refused.value)


def test_a_pickle_in_a_model_is_not_loaded() -> None:
    arrays = {f.name: getattr(line_model(), f.name) for f in fields(FittedModel)}
    file = BytesIO()
    np.savez(file, **arrays | {"centroids": np.array([object()])})
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        FittedModel.from_bytes(file.getvalue())


@settings(max_examples=50)
@given(st.data())
def test_damaged_bytes_are_a_model_or_a_value_error(data: st.DataObject) -> None:
    content = bytearray(make_model(2, 1, 2).to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    with suppress(ValueError):
        FittedModel.from_bytes(bytes(content))


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a model"):
        FittedModel.from_bytes(content)


@settings(max_examples=30)
@given(*[st.integers(1, 20)] * 3, st.floats(allow_nan=False), st.integers(0, 2**40))
def test_models_of_any_shape_survive_their_bytes(
    n_features: int, n_components: int, n_clusters: int, inertia: float, rows_fitted: int
) -> None:
    shaped = make_model(n_features, n_components, n_clusters)
    model = replace(shaped, inertia=inertia, rows_fitted=rows_fitted)
    copy = FittedModel.from_bytes(model.to_bytes())
    for field in fields(FittedModel):
        original, copied = getattr(model, field.name), getattr(copy, field.name)
        assert type(copied) is type(original)
        np.testing.assert_array_equal(copied, original)


def test_labelling_needs_neither_scikit_learn_nor_scipy() -> None:
    program = "import sys, shoal.worker.model.model; print({'sklearn', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
