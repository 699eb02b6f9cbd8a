"""Jobs by other features than pixels: from the request to the labels."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from benchmarks.labelled_sets import make_set
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Commit
from shoal.worker.extractors import extract_blocks, find_extractors
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.heartbeat import BatchHeartbeat, WorkLostError
from shoal.worker.stages.attempts import MOST_BATCH_ATTEMPTS
from shoal.worker.stages.loading import loading
from shoal.worker.stages.loading.loading import load_batch


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """100 faces and 100 crops without one, in two folders."""
    return make_set("lfw", tmp_path_factory.mktemp("sets"))


@pytest.mark.parametrize(
    ("features", "image_size", "widths", "dtype"),
    [
        ("hog", 64, (1764,), "<f4"),
        ("lbp", 64, (160,), "<f4"),
        ("color", 32, (51,), "<f4"),
        ("hog+color+pixels", 16, (1764, 51, 768), "<f4"),
        ("pixels", 8, (192,), "|u1"),
    ],
)
def test_a_job_of_any_features_ends_with_a_label_for_each_image(
    context, submit, run, faces, features, image_size, widths, dtype
):
    ledger = run(submit(faces, 70, clusters=3, features=features, image_size=image_size))
    results = context.results(ledger.job_id)
    assert [(shape.widths, shape.dtype) for shape in results.shapes()] == [(widths, dtype)] * 3
    assert len(list(results.assignments())) == 200
    model = FittedModel.from_bytes(results.model())
    assert (model.features, model.image_size) == (features, image_size)


def test_gradients_tell_faces_from_what_is_none(context, submit, run, faces):
    ledger = run(submit(faces, 70, clusters=2, features="hog", image_size=64))
    found = list(context.results(ledger.job_id).assignments())
    is_face = [image.path.startswith("face/") for image in found]
    assert adjusted_rand_score(is_face, [image.label for image in found]) > 0.5


def test_the_split_into_batches_does_not_show_in_float_features(context, submit, run, faces):
    def labels(batch_size, seed):
        ledger = run(
            submit(faces, batch_size, clusters=4, features="hog+color", image_size=32), seed
        )
        return [image.label for image in context.results(ledger.job_id).assignments()]

    assert labels(70, 0) == labels(70, 1) == labels(33, 2)


def test_a_batch_without_a_readable_image_has_features_of_the_same_form(
    context, submit, load, tmp_path
):
    (tmp_path / "a.png").write_bytes(b"nothing")
    ledger = submit(tmp_path, clusters=1, features="hog+color", image_size=32)
    load(ledger)
    shape = context.results(ledger.job_id).shape(0)
    assert (shape.rows, shape.columns, shape.widths) == (0, 1815, (1764, 51))


def test_a_worker_without_the_extractor_fails_the_job_with_the_names_there_are(
    context, submit, faces
):
    ledger = submit(faces, 70, features="of-another-package")
    assert load_batch(context, ledger.job_id, 0, False) is Commit.STALE
    status = ledger.status()
    assert status.state is State.FAILED
    assert "of-another-package" in status.error
    assert "hog" in status.error


def test_workers_with_different_models_cannot_mix(context, submit, faces, monkeypatch):
    find = find_extractors

    def find_with_digest(digest):
        return lambda *names: tuple(replace(e, digest=digest) for e in find(*names))

    ledger = submit(faces, 70, features="hog", image_size=32)
    monkeypatch.setattr(loading, "find_extractors", find_with_digest("one"))
    assert load_batch(context, ledger.job_id, 0, False) is Commit.COMMITTED
    monkeypatch.setattr(loading, "find_extractors", find_with_digest("another"))
    assert load_batch(context, ledger.job_id, 1, False) is Commit.STALE
    assert "SHOAL_EMBEDDING_MODEL" in ledger.status().error


def test_a_hopeless_batch_on_a_worker_without_the_extractor_fails_the_job_too(
    context, submit, faces
):
    ledger = submit(faces, 70, features="of-another-package")
    for _ in range(MOST_BATCH_ATTEMPTS):
        ledger.batches.start(Wave.LOADING, 0, redelivered=False)
        ledger.client.delete(ledger.keys.running(Wave.LOADING))
    assert load_batch(context, ledger.job_id, 0, False) is Commit.STALE
    assert ledger.state() is State.FAILED


def test_a_job_that_has_expired_does_not_come_back_as_a_digest(redis, submit, faces):
    ledger = submit(faces, 70)
    redis.flushall()
    assert ledger.agree("embedding", "mine") == "mine"
    assert redis.keys("*") == []


def test_extracting_stops_once_the_job_is_cancelled(context, submit, faces, monkeypatch):
    ledger = submit(faces, 200, features="hog", image_size=32)
    extract, seen = extract_blocks, []

    def extract_and_cancel(extractors, images):
        seen.append(len(images))
        ledger.cancel()
        return extract(extractors, images)

    monkeypatch.setattr(loading, "extract_blocks", extract_and_cancel)
    monkeypatch.setattr(BatchHeartbeat, "checkpoint", lambda _: raise_if(seen))
    assert load_batch(context, ledger.job_id, 0, False) is Commit.STALE
    assert seen == [loading.CHUNK]


def raise_if(seen):
    if seen:
        raise WorkLostError("cancelled")


def test_the_shipped_model_sees_what_pixels_do_not(context, submit, run, faces):
    ledger = run(submit(faces, 100, clusters=2, features="embedding", image_size=260))
    found = list(context.results(ledger.job_id).assignments())
    is_face = [image.path.startswith("face/") for image in found]
    assert adjusted_rand_score(is_face, [image.label for image in found]) > 0.8
    assert ledger.fields()["digest:embedding"]
    assert np.all([image.distance > 0 for image in found])
    assert ledger.batches.missing(Wave.LABELLING) == []
