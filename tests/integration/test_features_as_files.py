"""Features and coordinates of a finished job, as arrays and as files of NumPy and Parquet."""

import csv
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from shoal.producer.export.vectors import check_vectors, write_vectors
from shoal.producer.results import read_vectors
from shoal.producer.results.vectors import Vectors
from shoal.shared.errors import NotFinishedError, ShardLostError, UsageError
from shoal.shared.store import Expiry, Kind


@pytest.fixture
def finished(python_client, submit, run, mixed):
    return python_client.job(run(submit(mixed, clusters=3, image_size=8)).job_id)


def test_features_are_those_that_workers_extracted_in_the_order_of_labels(finished):
    features = finished.features()
    assert (features.shape, features.dtype) == ((40, 8 * 8 * 3), np.uint8)
    batches = range(finished.results.n_batches())
    stored = b"".join(bytes(finished.results.features(batch)) for batch in batches)
    assert features.tobytes() == stored
    assert len(list(finished.labels())) == 40
    assert finished.coordinates().dtype == np.float32


@pytest.mark.parametrize("kind", [Kind.FEATURES, Kind.COORDINATES])
def test_an_array_is_written_beside_the_paths_of_its_rows(finished, tmp_path, kind):
    out = tmp_path / "x.npy"
    written = write_vectors(finished, read_vectors(finished, kind), out, "npy")
    assert written == [out, tmp_path / "x.paths.csv"]
    np.testing.assert_array_equal(np.load(out, mmap_mode="r"), getattr(finished, kind)())
    with written[1].open(newline="") as file:
        named = [row["path"] for row in csv.DictReader(file)]
    assert named == [row.path for row in finished.labels()]


@pytest.mark.parametrize("kind", [Kind.FEATURES, Kind.COORDINATES])
def test_parquet_has_a_list_of_one_length_beside_each_path(finished, tmp_path, kind, monkeypatch):
    monkeypatch.setattr("shoal.producer.export.vectors.GROUP_BYTES", 2000)
    out = tmp_path / "x.parquet"
    assert write_vectors(finished, read_vectors(finished, kind), out, "parquet") == [out]
    table = parquet.read_table(out)
    assert table["path"].to_pylist() == [row.path for row in finished.labels()]
    rows = table[str(kind)].to_pylist()
    np.testing.assert_array_equal(np.array(rows, np.float32), getattr(finished, kind)())
    assert str(table.schema.field(str(kind)).type).startswith("fixed_size_list")


def test_features_that_have_expired_are_told_with_what_is_left(finished, tmp_path):
    Expiry(finished.ledger.client, finished.id).drop_features()
    with pytest.raises(NotFinishedError, match=r"have expired.*\.coordinates\(\)"):
        write_vectors(finished, read_vectors(finished, Kind.FEATURES), tmp_path / "x.npy", "npy")
    assert finished.coordinates().shape[0] == 40
    assert list(tmp_path.iterdir()) == []


def test_features_that_are_lost_leave_no_half_file(finished, tmp_path):
    results = finished.results
    results.shards.place.delete([f"jobs/{finished.id}/{results.shards.name(Kind.FEATURES, 2)}"])
    for file_format in ("npy", "parquet"):
        vectors = read_vectors(finished, Kind.FEATURES)
        with pytest.raises(ShardLostError, match=r"\.coordinates\(\)"):
            write_vectors(finished, vectors, tmp_path / "x", file_format)
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_replaced_unasked(finished, tmp_path, monkeypatch):
    for name in ("x.npy", "x.paths.csv"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(UsageError, match=name):
            check_vectors(tmp_path / "x.npy", "npy", force=False)
        vectors = read_vectors(finished, Kind.COORDINATES)
        with pytest.raises(UsageError, match=name):
            write_vectors(finished, vectors, tmp_path / "x.npy", "npy")
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    check_vectors(Path("-"), "npy", force=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(UsageError, match="terminal"):
        check_vectors(Path("-"), "npy", force=False)


@pytest.mark.parametrize("file_format", ["npy", "parquet"])
def test_a_dash_prints_what_a_file_would_have(finished, tmp_path, capfdbinary, file_format):
    vectors = [read_vectors(finished, Kind.COORDINATES) for _ in range(2)]
    write_vectors(finished, vectors[0], tmp_path / "x", file_format)
    assert write_vectors(finished, vectors[1], Path("-"), file_format) == []
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == (tmp_path / "x").read_bytes()


def test_an_array_of_any_length_is_written_in_little_memory(finished, tmp_path):
    part = bytes(200 * 1000)
    vectors = Vectors(Kind.FEATURES, (200 * 1000, 250), "<f4", (part for _ in range(1000)))
    tracemalloc.start()
    try:
        write_vectors(finished, vectors, tmp_path / "x.npy", "npy")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.load(tmp_path / "x.npy", mmap_mode="r").shape == (200_000, 250)
    assert peak < 8_000_000


def test_an_unfinished_job_has_neither_yet(python_client, submit, mixed):
    job = python_client.job(submit(mixed).job_id)
    for read in (job.features, job.coordinates):
        with pytest.raises(NotFinishedError, match=r"\.wait\(\)"):
            read()
