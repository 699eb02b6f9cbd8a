"""The stages, one by one, on real images against a real server."""

import logging
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from polling import wait_until

from shoal.shared.errors import ConnectionLostError, StoreFullError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.jobs import State, Wave
from shoal.shared.settings import Settings
from shoal.shared.store import Commit, Kind
from shoal.shared.store.rows import LABEL_ROW
from shoal.worker.images.loading import load_image, load_with_digest
from shoal.worker.memory import LIMIT_REACHED
from shoal.worker.model.model import FittedModel
from shoal.worker.model.statistics import FeatureStatistics
from shoal.worker.runtime import heartbeat
from shoal.worker.runtime.shutdown_signal import ShutdownSignal
from shoal.worker.stages import attempts, labelling
from shoal.worker.stages.attempts import MOST_BATCH_ATTEMPTS
from shoal.worker.stages.callback import MOST_CALLBACK_ATTEMPTS
from shoal.worker.stages.finishing import plotting
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import LABEL_DTYPE, label_batch
from shoal.worker.stages.loading import reading
from shoal.worker.stages.loading.loading import load_batch

SMALL = {"image_size": 8, "clusters": 3}


@pytest.fixture
def mixed_job(submit, mixed):
    return submit(mixed, batch_size=22, **SMALL)


HANG = """
import sys
from types import SimpleNamespace
from shoal.shared.jobs import JobRequest
from shoal.shared.settings import Settings
from shoal.worker.extractors import Extractor
from shoal.worker.stages.loading import loading, reading
from shoal.worker.stages.loading.reading import LoadedImages

def hang(images):
    print("extracting", flush=True)
    sys.stdin.read()

context = SimpleNamespace(settings=Settings(image_seconds=0.01))
ledger = SimpleNamespace(request=JobRequest(source="/photographs"))
loading.find_extractors = lambda *_: (Extractor("hangs", 32, hang),)
images = LoadedImages(*reading.make_room(ledger.request, 1), [])
loading.extract_rows(context, ledger, images, lambda: None)
"""


LOAD_TILES = """
import sys
from pathlib import Path
from types import SimpleNamespace
from shoal.shared.images.files import ImageLimits
from shoal.shared.settings import Settings
from shoal.worker.stages.finishing.plotting import load_tiles

def load(image_memory, names):
    settings, limits = Settings(image_memory=image_memory), ImageLimits(2**29, 250_000_000)
    context = SimpleNamespace(settings=settings, limits=limits)
    return load_tiles(names, Path(sys.argv[1]).joinpath, context, lambda: None)

load(2**30, ["small.png"])  # what is imported, and a thread's own heap, are no image's
print(*load(2**27, sys.argv[2:]))
"""


def lose_processes(ledger, count, wave=Wave.LOADING):
    """Begin batch 0 and lose its process, so often."""
    for _ in range(count):
        ledger.batches.start(wave, 0, redelivered=False)
        ledger.client.delete(ledger.keys.running(wave))


@pytest.fixture
def is_lost(monkeypatch):
    """Whether all work that has begun since is known to be lost."""
    begun = []
    enter = heartbeat.Heartbeat.__enter__

    def note(work):
        begun.append(work)
        return enter(work)

    monkeypatch.setattr(heartbeat.Heartbeat, "__enter__", note)
    return lambda: all(work.lost.is_set() for work in begun)


def raise_always(error):
    def refuse(*_, **__):
        raise error

    return refuse


def features_of(results, batch):
    shape = results.shape(batch)
    return np.frombuffer(results.features(batch), shape.dtype).reshape(shape.rows, shape.columns)


def test_broken_files_among_good_ones_cost_only_themselves(context, mixed_job):
    assert load_batch(context, mixed_job.job_id, 0, False) is Commit.COMMITTED
    results = context.results(mixed_job.job_id)
    assert [(f.path, f.reason) for f in results.failures()] == [
        ("000-empty.png", FailureReason.EMPTY),
        ("150-broken.png", FailureReason.NOT_AN_IMAGE),
    ]
    images = mixed_job.status().images
    assert (images.total, images.loaded, images.failed) == (43, 20, 2)


def test_features_are_the_pixels_of_the_images_that_could_be_read(context, mixed, mixed_job):
    load_batch(context, mixed_job.job_id, 0, False)
    results = context.results(mixed_job.job_id)
    paths = results.loaded_paths(0)
    expected = [load_image(mixed / path, 8, context.limits).ravel() for path in paths]
    assert (features_of(results, 0) == expected).all()
    name = results.shards.name(Kind.FEATURES, 0)
    (raw,) = results.shards.read_ranges(name, [results.shape(0).statistics_range])
    assert (FeatureStatistics.from_bytes(raw).total == np.sum(expected, axis=0)).all()


def test_a_batch_is_loaded_once(context, mixed_job):
    verdicts = [load_batch(context, mixed_job.job_id, 0, False) for _ in range(2)]
    assert verdicts == [Commit.COMMITTED, Commit.STALE]
    assert mixed_job.status().images.loaded == 20


def test_a_batch_without_any_readable_image_is_a_batch_of_failures(context, submit, tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    (tmp_path / "b.png").write_bytes(b"")
    ledger = submit(tmp_path, clusters=1)
    assert load_batch(context, ledger.job_id, 0, False) is Commit.COMMITTED
    assert context.results(ledger.job_id).shape(0).rows == 0
    assert ledger.status().images.failed == 2


def test_an_extractor_that_hangs_ends_its_process():
    command = [sys.executable, "-c", HANG]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.wait(60) == 1
        assert process.stdout
        assert process.stdout.read() == b"extracting\n"


def test_loading_stops_once_the_job_is_cancelled(context, mixed_job, monkeypatch, is_lost):
    loaded = []

    def load_and_cancel(path, is_known, image_size, limits):
        loaded.append(path)
        mixed_job.cancel()
        wait_until(is_lost)
        return load_with_digest(path, is_known, image_size, limits)

    monkeypatch.setattr(reading, "load_with_digest", load_and_cancel)
    assert load_batch(context, mixed_job.job_id, 1, False) is Commit.STALE
    assert len(loaded) == 1
    assert mixed_job.status().images.loaded == 0


def test_a_worker_that_is_to_end_hands_its_batch_back_between_two_images(
    context, mixed_job, monkeypatch
):
    loaded = []

    def load_and_be_told(path, is_known, image_size, limits):
        loaded.append(path)
        context.shutdown_signal.send(grace_seconds=0)
        return load_with_digest(path, is_known, image_size, limits)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "load_with_digest", load_and_be_told)
        assert load_batch(context, mixed_job.job_id, 1, False) is Commit.STALE
    assert len(loaded) == 1
    assert mixed_job.batches.take_lost(Wave.LOADING) == [1]
    other = replace(context, shutdown_signal=ShutdownSignal())
    assert load_batch(other, mixed_job.job_id, 1, False) is Commit.COMMITTED
    assert mixed_job.client.hget(mixed_job.keys.attempts(Wave.LOADING), "1") == b"1"


def test_a_worker_that_is_to_end_has_some_time_for_what_it_has(context, mixed_job):
    context.shutdown_signal.send(grace_seconds=60)
    assert load_batch(context, mixed_job.job_id, 0, False) is Commit.COMMITTED


def test_a_batch_that_cost_two_processes_is_decoded_in_a_sub_process(
    context, mixed_job, monkeypatch
):
    def refuse(path, is_known, image_size, limits):
        raise AssertionError("decoded in this process")

    monkeypatch.setattr(reading, "load_with_digest", refuse)
    lose_processes(mixed_job, reading.LOST_PROCESSES)
    assert load_batch(context, mixed_job.job_id, 0, True) is Commit.COMMITTED
    images = mixed_job.status().images
    assert (images.loaded, images.failed) == (20, 2)


def fail_until_given_up(work, context, ledger):
    for _ in range(MOST_BATCH_ATTEMPTS):
        with pytest.raises(ValueError, match="odd"):
            work(context, ledger.job_id, 0, False)
        assert ledger.batches.take_lost(Wave(ledger.state())) == [0]
    return work(context, ledger.job_id, 0, False)


def test_a_batch_that_always_raises_becomes_failures_that_say_why(context, mixed_job, monkeypatch):
    monkeypatch.setattr(reading, "load_images", raise_always(ValueError("odd")))
    assert fail_until_given_up(load_batch, context, mixed_job) is Commit.COMMITTED
    failures = list(context.results(mixed_job.job_id).failures())
    assert len(failures) == mixed_job.status().images.failed == 22
    assert {failure.reason for failure in failures} == {FailureReason.DAMAGED}
    assert "ValueError: odd" in failures[0].detail


def test_a_batch_that_always_kills_its_process_becomes_failures(context, mixed_job):
    lose_processes(mixed_job, MOST_BATCH_ATTEMPTS)
    assert load_batch(context, mixed_job.job_id, 0, False) is Commit.COMMITTED
    (failure, *_) = context.results(mixed_job.job_id).failures()
    assert failure.reason is FailureReason.LOST_WORKER
    assert "process was lost" in failure.detail


def test_the_memory_limit_of_a_container_fails_the_job_and_no_image(
    context, mixed_job, monkeypatch
):
    monkeypatch.setattr(
        attempts, "describe_kills", lambda: f"{LIMIT_REACHED} was reached: raise it"
    )
    lose_processes(mixed_job, MOST_BATCH_ATTEMPTS)
    assert load_batch(context, mixed_job.job_id, 0, False) is Commit.STALE
    status = mixed_job.status()
    assert (status.state, status.images.failed) == (State.FAILED, 0)
    assert status.error == (
        "Batch 0 failed 8 times while loading: the memory limit of the worker's container was"
        " reached: raise it."
    )


def test_a_batch_whose_paths_are_damaged_fails_the_job(context, mixed_job):
    mixed_job.client.hset(mixed_job.keys.manifest, "0", b"not deflated")
    for _ in range(MOST_BATCH_ATTEMPTS):
        with pytest.raises(zlib.error):
            load_batch(context, mixed_job.job_id, 0, False)
        mixed_job.batches.take_lost(Wave.LOADING)
    load_batch(context, mixed_job.job_id, 0, False)
    status = mixed_job.status()
    assert status.state is State.FAILED
    assert status.error.startswith("Batch 0 failed 8 times while loading: error: Error -3")
    assert status.expires_at is not None


def test_an_outage_of_redis_never_makes_a_batch_hopeless(context, mixed_job, monkeypatch):
    monkeypatch.setattr(reading, "load_images", raise_always(ConnectionLostError("away")))
    for _ in range(2 * MOST_BATCH_ATTEMPTS):
        with pytest.raises(ConnectionLostError):
            load_batch(context, mixed_job.job_id, 0, False)
        mixed_job.client.delete(mixed_job.keys.running(Wave.LOADING))
    monkeypatch.undo()
    assert load_batch(context, mixed_job.job_id, 0, False) is Commit.COMMITTED
    assert mixed_job.status().images.loaded == 20


@pytest.mark.parametrize("way", ["raises", "kills"])
def test_a_batch_that_cannot_be_labelled_fails_the_job(context, mixed_job, load, monkeypatch, way):
    load(mixed_job)
    fit_job(context, mixed_job.job_id)
    if way == "raises":
        monkeypatch.setattr(labelling, "label_features", raise_always(ValueError("odd")))
        fail_until_given_up(label_batch, context, mixed_job)
    else:
        lose_processes(mixed_job, MOST_BATCH_ATTEMPTS, Wave.LABELLING)
        label_batch(context, mixed_job.job_id, 0, False)
    status = mixed_job.status()
    assert status.state is State.FAILED
    assert {"raises": "ValueError: odd", "kills": "process was lost"}[way] in status.error
    assert status.expires_at is not None


def test_an_isolated_batch_has_the_same_features(context, submit, mixed):
    plain, isolated = (submit(mixed, batch_size=43, **SMALL) for _ in range(2))
    load_batch(context, plain.job_id, 0, False)
    lose_processes(isolated, reading.LOST_PROCESSES)
    load_batch(context, isolated.job_id, 0, True)
    first, second = (context.results(ledger.job_id) for ledger in (plain, isolated))
    assert first.features(0) == second.features(0)
    assert first.failed_images(0) == second.failed_images(0)


def test_images_outside_the_roots_are_failures(context, submit, mixed, tmp_path):
    confined = replace(context, settings=Settings(image_roots=(tmp_path,), cache_bytes=0))
    ledger = submit(mixed, batch_size=43, **SMALL)
    load_batch(confined, ledger.job_id, 0, False)
    reasons = {failure.reason for failure in confined.results(ledger.job_id).failures()}
    assert reasons == {FailureReason.OUTSIDE_ROOTS}


def test_the_fit_stores_a_model_and_sends_the_second_wave(context, mixed_job, load, queued):
    load(mixed_job)
    fit_job(context, mixed_job.job_id)
    assert mixed_job.state() is State.LABELLING
    model = FittedModel.from_bytes(context.results(mixed_job.job_id).model())
    assert (model.features, model.image_size, model.rows_fitted) == ("pixels", 8, 40)
    assert model.components.shape == (40, 192)
    assert len(model.centroids) == 3
    assert queued() == (2, 0)


def test_the_fit_waits_for_every_batch(context, mixed_job):
    load_batch(context, mixed_job.job_id, 0, False)
    fit_job(context, mixed_job.job_id)
    assert mixed_job.state() is State.LOADING


def test_a_second_fit_steps_aside(context, mixed_job, load, queued):
    load(mixed_job)
    fit_job(context, mixed_job.job_id)
    before = mixed_job.fields()
    fit_job(context, mixed_job.job_id)
    assert mixed_job.fields() == before
    assert queued() == (2, 0)


def test_a_fit_while_another_holds_the_lease_steps_aside(context, mixed_job, load):
    load(mixed_job)
    lease = mixed_job.acquire_lease(Wave.LOADING)
    fit_job(context, mixed_job.job_id)
    assert mixed_job.state() is State.FITTING
    assert mixed_job.renew_lease(lease)


def test_a_fit_of_a_sample_uses_the_scale_of_all_rows(context, submit, digits, load):
    ledger = submit(digits, batch_size=100, **SMALL)
    thrifty = replace(context, settings=Settings(fit_memory=5 * 192 * 50, cache_bytes=0))
    load(ledger)
    fit_job(thrifty, ledger.job_id)
    results = thrifty.results(ledger.job_id)
    model = FittedModel.from_bytes(results.model())
    rows = np.concatenate([features_of(results, batch) for batch in range(3)])
    assert model.rows_fitted == 50
    np.testing.assert_allclose(model.mean, rows.mean(axis=0))


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"clusters": 3}, "3 clusters need as many images, and 2 could be read: use `clusters=2`"),
        (
            {"clusters": 1, "components": 3},
            "have 2 principal components, not 3: use `components=2`",
        ),
    ],
)
def test_too_few_readable_images_fail_the_job_with_a_remedy(
    context, submit, tmp_path, load, options, remedy
):
    for number in range(2):
        Image.new("RGB", (4, 4), (number * 90, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"broken")
    ledger = submit(tmp_path, **options)
    load(ledger)
    fit_job(context, ledger.job_id)
    status = ledger.status()
    assert status.state is State.FAILED
    assert remedy in status.error
    assert status.expires_at is not None


def test_no_readable_image_fails_the_job_with_a_remedy(context, submit, tmp_path, load):
    (tmp_path / "a.png").write_bytes(b"broken")
    ledger = submit(tmp_path, clusters=1)
    load(ledger)
    fit_job(context, ledger.job_id)
    assert ledger.state() is State.FAILED
    assert f"`client.job('{ledger.job_id}').failures()`" in ledger.status().error


def test_a_fit_that_keeps_losing_its_process_fails_the_job(context, mixed_job, load):
    load(mixed_job)
    for _ in range(MOST_CALLBACK_ATTEMPTS):
        mixed_job.acquire_lease(Wave.LOADING)
        mixed_job.client.delete(mixed_job.keys.lease)
    fit_job(context, mixed_job.job_id)
    assert mixed_job.state() is State.FAILED
    assert "SHOAL_FIT_MEMORY" in mixed_job.status().error


def test_a_defect_in_a_callback_fails_the_job_instead_of_hanging_it(
    context, mixed_job, load, monkeypatch, caplog
):
    load(mixed_job)
    mixed_job.client.hset(mixed_job.keys.shapes, "0", b"{}")
    with caplog.at_level(logging.CRITICAL):
        fit_job(context, mixed_job.job_id)
    assert mixed_job.state() is State.FAILED
    assert "while fitting" in mixed_job.status().error


def test_labels_are_those_of_the_model_on_all_rows_at_once(context, mixed_job, load):
    load(mixed_job)
    fit_job(context, mixed_job.job_id)
    for batch in (1, 0):
        assert label_batch(context, mixed_job.job_id, batch, False) is Commit.COMMITTED
    results = context.results(mixed_job.job_id)
    rows = np.frombuffer(b"".join(results.labels()), LABEL_DTYPE)
    everything = np.concatenate([features_of(results, batch) for batch in (0, 1)])
    expected = FittedModel.from_bytes(results.model()).label(everything)
    assert (rows["label"] == expected.labels).all()
    np.testing.assert_allclose(rows["distance"], expected.distances, rtol=1e-4)
    np.testing.assert_allclose(rows["pc1"], expected.coordinates[:, 0], rtol=1e-3, atol=1e-3)


def test_a_batch_is_labelled_once(context, mixed_job, load):
    load(mixed_job)
    fit_job(context, mixed_job.job_id)
    verdicts = [label_batch(context, mixed_job.job_id, 0, False) for _ in range(2)]
    assert verdicts == [Commit.COMMITTED, Commit.STALE]


def test_finishing_writes_summary_and_plots_and_lets_the_job_expire(context, mixed_job, run):
    status = run(mixed_job).status()
    assert (status.state, status.progress) == (State.FINISHED, 1.0)
    assert status.expires_at > status.finished_at > status.started_at
    results = context.results(mixed_job.job_id)
    summary = results.summary()
    labels = [row.label for row in results.assignments()]
    sizes = [cluster.size for cluster in summary.clusters]
    assert sizes == np.bincount(labels).tolist() == sorted(sizes, reverse=True)
    paths = {row.path for row in results.assignments()}
    assert {path for cluster in summary.clusters for path in cluster.representatives} <= paths
    assert len(paths) == summary.rows_fitted == 40
    plots = results.plots()
    assert set(plots) == {"scatter", "contact-sheet", "sizes", "variance"}
    assert all(png.startswith(b"\x89PNG") for png in plots.values())


def test_representatives_are_nearest_to_their_centroid_and_outliers_those_that_are_far(
    context, mixed_job, run
):
    results = context.results(run(mixed_job).job_id)
    rows = sorted(results.assignments(), key=lambda row: row.distance)
    summary = results.summary()
    for cluster in summary.clusters:
        nearest = next(row.path for row in rows if row.label == cluster.label)
        assert cluster.representatives[0] == nearest
        farthest = [row for row in reversed(rows) if row.label == cluster.label][:4]
        near = set(cluster.representatives)
        far = [row.path for row in farthest if row.far and row.path not in near]
        assert cluster.outliers == far
    assert summary.outliers == [row.path for row in reversed(rows) if row.far][:20]


def test_finishing_does_without_images_that_are_gone(context, submit, tmp_path, run, load):
    for number in range(4):
        Image.new("RGB", (4, 4), (number * 60, 0, 0)).save(tmp_path / f"{number}.png")
    ledger = submit(tmp_path, clusters=2)
    load(ledger)
    for path in tmp_path.iterdir():
        path.unlink()
    fit_job(context, ledger.job_id)
    label_batch(context, ledger.job_id, 0, False)
    finish_job(context, ledger.job_id)
    assert ledger.state() is State.FINISHED


@pytest.fixture
def labelled(context, mixed_job, load):
    """A job that is ready to be finished."""
    load(mixed_job)
    fit_job(context, mixed_job.job_id)
    for batch in (0, 1):
        label_batch(context, mixed_job.job_id, batch, False)
    return mixed_job


def test_a_plot_that_cannot_be_drawn_costs_only_itself(context, labelled, monkeypatch, caplog):
    monkeypatch.setattr("shoal.worker.plots.plot_scatter", raise_always(ValueError("odd")))
    with caplog.at_level(logging.ERROR):
        finish_job(context, labelled.job_id)
    assert labelled.state() is State.FINISHED
    plots = context.results(labelled.job_id).plots()
    assert set(plots) == {"contact-sheet", "sizes", "variance"}
    (record,) = caplog.records
    assert (record.msg, record.plot) == ("plot could not be drawn", "scatter")
    assert record.job == labelled.job_id
    assert context.results(labelled.job_id).summary().notes == (
        "Plots that could not be drawn: scatter. The workers' log says why.",
    )


@pytest.mark.parametrize("error", ["OSError: odd", None])
def test_a_batch_that_is_begun_anew_says_what_became_of_it(context, mixed_job, caplog, error):
    lose_processes(mixed_job, 1)
    if error:
        mixed_job.batches.start(Wave.LOADING, 0, redelivered=False)
        mixed_job.batches.end_attempt(Wave.LOADING, 0, error)
    load_batch(context, mixed_job.job_id, 0, False)
    (record,) = (record for record in caplog.records if record.msg == "batch begun anew")
    assert (record.job, record.stage, record.batch) == (mixed_job.job_id, Wave.LOADING, 0)
    assert (record.attempt, record.cause) == ((3, error) if error else (2, "its process was lost"))


def test_a_callback_that_is_begun_anew_says_so(context, load, mixed_job, caplog):
    load(mixed_job)
    mixed_job.acquire_lease(Wave.LOADING)
    context.client.delete(mixed_job.keys.lease)
    fit_job(context, mixed_job.job_id)
    (record,) = (r for r in caplog.records if r.msg.startswith("callback begun anew"))
    assert (record.job, record.stage, record.attempt) == (mixed_job.job_id, State.FITTING, 2)


def test_without_matplotlib_a_job_finishes_without_plots_and_says_so(
    context, labelled, monkeypatch
):
    monkeypatch.setattr("shoal.worker.plots.default_style", raise_always(OSError("no directory")))
    finish_job(context, labelled.job_id)
    results = context.results(labelled.job_id)
    assert results.plots() == {}
    assert results.summary().notes == (
        "Plots that could not be drawn: scatter, contact-sheet, sizes, variance."
        " The workers' log says why.",
    )


def test_finishing_opens_no_image_after_it_has_lost_a_process(context, labelled, monkeypatch):
    monkeypatch.setattr(plotting, "load_picture", raise_always(AssertionError("opened")))
    labelled.acquire_lease(Wave.LABELLING)
    labelled.client.delete(labelled.keys.lease)
    finish_job(context, labelled.job_id)
    assert "contact-sheet" in context.results(labelled.job_id).plots()


@pytest.mark.skipif(sys.platform == "darwin", reason="knows no such limit")
def test_a_tile_that_takes_too_much_memory_is_left_out(tmp_path):
    for name, side in (("large.png", 9000), ("small.png", 60)):
        Image.new("RGB", (side, side), "teal").save(tmp_path / name)
    # In a process of its own: this one may have the memory at hand that others gave back.
    command = [sys.executable, "-c", LOAD_TILES, tmp_path, "large.png", "small.png"]
    assert subprocess.check_output(command, text=True).split() == ["small.png"]


@pytest.mark.parametrize("error", [MemoryError(), UnreadableImageError(FailureReason.EMPTY, "")])
def test_a_tile_that_cannot_be_loaded_costs_only_itself(context, labelled, monkeypatch, error):
    monkeypatch.setattr(plotting, "load_picture", raise_always(error))
    finish_job(context, labelled.job_id)
    assert labelled.state() is State.FINISHED


def test_the_search_for_copies_is_not_held_to_the_memory_of_an_image(
    context, labelled, monkeypatch
):
    begun = []

    def load_tile(*_):
        begun.append("tile")
        return Image.new("RGB", (8, 6))

    monkeypatch.setattr(plotting, "load_picture", load_tile)
    monkeypatch.setattr(
        "shoal.worker.stages.finishing.finishing.search_duplicates",
        lambda *_: begun.append("search"),
    )
    finish_job(context, labelled.job_id)
    assert begun == ["search"] + ["tile"] * (len(begun) - 1)
    assert len(begun) > 1


def test_finishing_stops_between_two_tiles_once_the_job_is_cancelled(
    context, labelled, monkeypatch, is_lost
):
    opened = []

    def open_and_cancel(path, *_):
        opened.append(path)
        labelled.cancel()
        wait_until(is_lost)
        return Image.new("RGB", (8, 6))

    monkeypatch.setattr(plotting, "load_picture", open_and_cancel)
    finish_job(context, labelled.job_id)
    assert len(opened) == 1
    assert labelled.state() is State.CANCELLED


@pytest.mark.parametrize("error", [ConnectionLostError("away"), StoreFullError("full")])
def test_a_callback_that_redis_stops_is_not_an_attempt(
    context, mixed_job, load, monkeypatch, error
):
    load(mixed_job)
    with monkeypatch.context() as patch:
        patch.setattr("shoal.worker.stages.fitting.make_model", raise_always(error))
        for _ in range(MOST_CALLBACK_ATTEMPTS + 1):
            with pytest.raises(type(error)):
                fit_job(context, mixed_job.job_id)
            mixed_job.client.delete(mixed_job.keys.lease)
    fit_job(context, mixed_job.job_id)
    assert mixed_job.state() is State.LABELLING


def test_one_image_is_one_cluster(context, submit, tmp_path, run):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    ledger = run(submit(tmp_path, clusters=1))
    (row,) = context.results(ledger.job_id).assignments()
    assert (row.path, row.label, row.distance) == ("a.png", 0, 0)


def test_images_that_are_all_alike_make_one_cluster(context, submit, tmp_path, run):
    for number in range(6):
        Image.new("RGB", (4, 4), "teal").save(tmp_path / f"{number}.png")
    results = context.results(run(submit(tmp_path, clusters=3)).job_id)
    assert {row.label for row in results.assignments()} == {0}


def test_a_batch_of_failures_between_others_has_no_labels(context, submit, mixed, run):
    ledger = run(submit(mixed, batch_size=1, **SMALL))
    assert len(list(context.results(ledger.job_id).assignments())) == 40
    assert ledger.status().images.failed == 3


def test_every_key_of_a_finished_job_expires(redis, mixed_job, run):
    run(mixed_job)
    keys = redis.keys(f"shoal:{{{mixed_job.job_id}}}*")
    assert len(keys) > 10
    assert all(redis.ttl(key) > 0 for key in keys)
    assert redis.zcard("shoal:2:active") == 0


def test_label_rows_have_the_form_that_the_store_reads():
    rows = np.array([(3, 0.5, 1.5, -2.5, 4, 5)], LABEL_DTYPE)
    assert LABEL_ROW.unpack(rows.tobytes()) == (3, 0.5, 1.5, -2.5, 4, 5)
