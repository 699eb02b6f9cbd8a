"""What the stages leave behind, and how long it stays."""

import csv
import json
import secrets
import struct

import pytest
from shards import commit_features

from shoal.producer.export.files import new_file
from shoal.producer.export.tables import write_json, write_rows
from shoal.shared.encoding import escape_name
from shoal.shared.errors import NotFinishedError, ShardLostError
from shoal.shared.findings import (
    Assignment,
    ClusterSummary,
    Duplicate,
    DuplicateCounts,
    Failure,
    FailureReason,
    Summary,
)
from shoal.shared.jobs import State, Wave
from shoal.shared.shards import FileShards, find_id
from shoal.shared.store import Expiry, Kind, Lifetimes, Registry, Results
from shoal.shared.store.rows import DUPLICATE_ROW, LABEL_ROW, FailedImage, Shape

pytestmark = [pytest.mark.each_server, pytest.mark.each_place]

LIFETIMES = Lifetimes(features_seconds=100, results_seconds=1000)
NAMES = [["a\nb.png", "caf\udce9.png", "c\rd.png"], ["日本/🐟.png", "e,\"f'.png", " .png"]]
STATISTICS_BYTES = 40
PICTURES = {"caf\udce9.png": b"\xff\xd8"}
SUMMARY = Summary(
    clusters=[ClusterSummary(label=0, size=4, representatives=["caf\udce9.png"])],
    outliers=["a\nb.png"],
    rows_fitted=4,
    n_components=2,
    explained_variance_ratio=[0.75, 0.125],
    inertia=1.5,
    versions={"numpy": "2"},
    duplicates=DuplicateCounts(groups=1, images=2, exact_copies=0),
)


@pytest.fixture
def results(redis, register, place):
    return Results(redis, register(NAMES).job_id, place)


@pytest.fixture
def ledger(register, results, context):
    return context.ledger(results.job_id)


# The last image of the first batch, then the last of the second, whose first has failed.
COPIES = DUPLICATE_ROW.pack(0, 0, 0, 1, 1, 1, 5) + DUPLICATE_ROW.pack(0, 1, 1, 1, 0, 1, 5)


def load(ledger, results, batch, failed_positions=()):
    """Commit a batch of two-byte rows, 10·batch + position, without those that failed."""
    kept = [position for position in range(3) if position not in failed_positions]
    rows = b"".join(bytes([10 * batch + position, 255]) for position in kept)
    failures = [FailedImage(p, FailureReason.DAMAGED, f"broken\r{p}") for p in failed_positions]
    notes = results.loading_values(Shape(len(kept), 2, "|u1", (), STATISTICS_BYTES), failures, b"")
    ledger.batches.start(Wave.LOADING, batch, redelivered=False)
    features = rows + bytes([batch] * STATISTICS_BYTES)
    counts = (len(kept), len(failures))
    commit_features(results.shards, ledger, batch, features, counts, notes)


def label(ledger, results, batch, rows):
    ledger.batches.start(Wave.LABELLING, batch, redelivered=False)
    labels = b"".join(LABEL_ROW.pack(*row, *row[2:]) for row in rows)
    coordinates = b"".join(struct.pack("<2f", *row[2:]) for row in rows)
    results.shards.commit(
        batch,
        secrets.token_hex(8),
        {Kind.COORDINATES: [coordinates]},
        lambda names: ledger.batches.commit_labelling(batch, labels, shards=names),
    )


def begin_labelling(ledger, results):
    lease = ledger.acquire_lease(Wave.LOADING)
    results.put_model(lease.token, b"model")
    assert ledger.advance(lease, State.LABELLING, {"model_token": lease.token})


@pytest.fixture
def finished(ledger, results):
    load(ledger, results, 1, failed_positions=[0])
    load(ledger, results, 0, failed_positions=[1])
    begin_labelling(ledger, results)
    label(ledger, results, 1, [(1, 1.5, 0.25, -2.0), (0, 0.5, 0.0, 0.0)])
    label(ledger, results, 0, [(0, 2.5, 1.0, 1.0), (7, 0.0, -0.5, 3.0)])
    lease = ledger.acquire_lease(Wave.LABELLING)
    results.put_findings(lease.token, SUMMARY, {"scatter": b"\x89PNG"}, PICTURES, COPIES)
    assert ledger.advance(lease, State.FINISHED, {"findings_token": lease.token})
    return results


ASSIGNMENTS = [
    Assignment("a\nb.png", 0, 2.5, 1.0, 1.0, 1.0, 1.0),
    Assignment("c\rd.png", 7, 0.0, -0.5, 3.0, -0.5, 3.0),
    Assignment("e,\"f'.png", 1, 1.5, 0.25, -2.0, 0.25, -2.0),
    Assignment(" .png", 0, 0.5, 0.0, 0.0, 0.0, 0.0),
]


def test_labels_come_back_in_manifest_order_without_the_failures_in_between(finished):
    assert list(finished.assignments()) == ASSIGNMENTS


def test_failures_come_back_in_manifest_order(finished):
    assert list(finished.failures()) == [
        Failure("caf\udce9.png", FailureReason.DAMAGED, "broken\r1"),
        Failure("日本/🐟.png", FailureReason.DAMAGED, "broken\r0"),
    ]


def test_duplicates_come_back_by_group_with_the_paths_of_their_images(finished):
    assert list(finished.duplicates()) == [
        Duplicate(0, "c\rd.png", content=0, like=" .png", distance=5),
        Duplicate(0, " .png", content=1, like="c\rd.png", distance=5),
    ]


def test_failures_are_there_as_far_as_loaded(ledger, results):
    load(ledger, results, 1, failed_positions=[2])
    assert [failure.path for failure in results.failures()] == [" .png"]


@pytest.mark.parametrize(
    ("rows", "model", "attribute"),
    [
        *(("assignments", Assignment, "path"), ("failures", Failure, "path")),
        ("duplicates", Duplicate, "path"),
    ],
)
def test_names_of_any_bytes_survive_csv_and_json(finished, tmp_path, rows, model, attribute):
    paths = [escape_name(row.path) for row in getattr(finished, rows)()]
    with new_file(tmp_path / "rows.csv") as file:
        write_rows(getattr(finished, rows)(), model, file)
    with new_file(tmp_path / "rows.json") as file:
        write_json(getattr(finished, rows)(), model, file)
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        assert [row["path"] for row in csv.DictReader(file)] == paths
    assert [row["path"] for row in json.loads((tmp_path / "rows.json").read_text())] == paths


def test_features_are_the_rows_alone(ledger, results):
    load(ledger, results, 0)
    assert results.features(0) == bytes([0, 255, 1, 255, 2, 255])
    assert results.shape(0) == Shape(3, 2, "|u1", (), STATISTICS_BYTES)


def test_coordinates_come_back_by_batch_and_live_as_long_as_the_labels(finished, redis):
    parts = [struct.unpack("<4f", part) for part in finished.coordinates()]
    assert parts == [(1.0, 1.0, -0.5, 3.0), (0.25, -2.0, 0.0, 0.0)]
    Expiry(redis, finished.job_id).begin(LIFETIMES)
    Expiry(redis, finished.job_id).drop_features()
    assert [struct.unpack("<4f", part) for part in finished.coordinates()] == parts
    with pytest.raises(NotFinishedError, match="not there, yet or any more"):
        finished.features(0)
    with pytest.raises(NotFinishedError):
        list(finished.statistics())


def test_shards_of_another_place_are_named_with_the_setting(finished, redis, place, tmp_path):
    elsewhere = FileShards(tmp_path / "elsewhere")
    find_id(elsewhere)
    with pytest.raises(ShardLostError, match=f"{place.url}.*set SHOAL_SHARDS_URL"):
        list(Results(redis, finished.job_id, elsewhere).coordinates())


def test_a_lost_sheet_of_thumbnails_counts_as_none(ledger, results):
    names = {}

    def send(written):
        names.update(written)
        return ledger.batches.commit_loading(0, written, (1, 0), {})

    ledger.batches.start(Wave.LOADING, 0, redelivered=False)
    results.shards.commit(0, "token", {Kind.THUMBNAILS: [b"sheet"]}, send)
    assert list(results.thumbnails()) == [b"sheet", b""]
    results.shards.place.delete([f"jobs/{results.job_id}/{names[Kind.THUMBNAILS]}"])
    assert list(results.thumbnails()) == [b"", b""]


def test_shapes_and_statistics_are_ordered_by_batch(ledger, results):
    load(ledger, results, 1, failed_positions=[0, 1])
    load(ledger, results, 0)
    assert [shape.rows for shape in results.shapes()] == [3, 1]
    assert list(results.statistics()) == [b"\0" * STATISTICS_BYTES, b"\1" * STATISTICS_BYTES]


def test_labels_of_more_batches_than_one_round_trip_keep_their_order(redis, register):
    ledger = register(600)
    results = Results(redis, ledger.job_id)
    for batch in range(600):
        redis.hset(ledger.keys.labels, batch, LABEL_ROW.pack(batch, 0, 0, 0, 0, 0))
    assert [row.label for row in results.assignments()] == list(range(600))


def test_model_summary_plots_and_pictures_come_back(finished):
    assert finished.model() == b"model"
    assert finished.summary() == SUMMARY
    assert finished.plots() == {"scatter": b"\x89PNG"}
    assert finished.pictures() == PICTURES


def test_a_model_counts_only_once_the_ledger_points_to_it(ledger, results):
    results.put_model(1, b"early")
    with pytest.raises(NotFinishedError):
        results.model()


@pytest.mark.parametrize(
    "read",
    [
        lambda results: list(results.assignments()),
        lambda results: list(results.shapes()),
        lambda results: results.shape(0),
        lambda results: list(results.statistics()),
        lambda results: results.features(0),
        lambda results: results.model(),
        lambda results: results.summary(),
        lambda results: results.plots(),
    ],
)
def test_what_is_not_there_yet_names_the_command_that_tells(results, read):
    with pytest.raises(NotFinishedError, match=rf"client\.job\('{results.job_id}'\)\.status\(\)"):
        read(results)


def lives(redis, job_id):
    """Seconds to live of every key that names the job, by what follows its id."""
    keys = list(redis.scan_iter(f"*{job_id}*"))
    return {key.decode().partition(job_id)[2]: redis.ttl(key) for key in keys}


def test_every_key_of_an_ended_job_expires(redis, finished, ledger):
    Expiry(redis, finished.job_id).begin(LIFETIMES)
    found = lives(redis, finished.job_id)
    brief = {name for name in found if "features" in name}
    assert "}:shards:features" in brief
    assert len(brief) == 1 + 2 * (finished.shards.place.url == "Redis")
    assert all(0 < seconds <= 100 for name, seconds in found.items() if name in brief)
    assert all(900 < seconds <= 1000 for name, seconds in found.items() if name not in brief)
    fitting, finishing = (ledger.fields()[token] for token in ("model_token", "findings_token"))
    assert {
        f"}}:model:{fitting}",
        f"}}:summary:{finishing}",
        f"}}:plots:{finishing}",
        f"}}:duplicates:{finishing}",
        "}:rows",
        "}:shards:coordinates",
        "}:job",
    } <= set(found)


def test_label_rows_of_an_earlier_version_expire_with_the_job(redis, finished):
    redis.hset(f"shoal:{{{finished.job_id}}}:labels", "0", b"rows")  # the job was half labelled
    Expiry(redis, finished.job_id).begin(LIFETIMES)
    assert 900 < lives(redis, finished.job_id)["}:labels"] <= 1000


def test_the_status_says_when_results_expire(redis, finished, ledger):
    Expiry(redis, finished.job_id).begin(LIFETIMES)
    assert ledger.status().expires_at == pytest.approx(Registry(redis).now() + 1000, abs=5)


def test_a_late_holder_leaves_nothing_that_stays_for_ever(redis, ledger, results):
    load(ledger, results, 0)
    load(ledger, results, 1)
    lease = ledger.acquire_lease(Wave.LOADING)
    ledger.cancel()
    Expiry(redis, results.job_id).begin(LIFETIMES)
    results.put_model(lease.token, b"late")
    results.put_findings(lease.token, SUMMARY, {"scatter": b"late"}, {}, COPIES)
    assert all(seconds > 0 for seconds in lives(redis, results.job_id).values())
