"""The estimate of a job, tied to what its fit and its store then have."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quick import QuickClient

from shoal import Client
from shoal.producer.submission.estimate import _batch_shards, _batch_values, estimate_fit
from shoal.producer.submission.folder import read_folder
from shoal.shared.errors import UsageError
from shoal.shared.recipe.fit import FitSize
from shoal.shared.server.embedded import find_disk
from shoal.shared.settings import Settings
from shoal.shared.store import Kind, Ledger
from shoal.worker.model.components import ScaledRows
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.fitting import fit_job

N_IMAGES = 300  # of the digits


@pytest.fixture
def projected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many rows the fits of a test project, and on how many axes."""
    shapes: list[tuple[int, int]] = []
    project = ScaledRows.project

    def spy(scaled: ScaledRows, axes: Any) -> Any:
        shapes.append((len(scaled.rows), axes.shape[1]))
        return project(scaled, axes)

    monkeypatch.setattr(ScaledRows, "project", spy)
    return shapes


@pytest.mark.parametrize(
    ("options", "fit_memory"),
    [
        ({"features": "pixels", "image_size": 8}, 2**30),  # few features
        ({"features": "pixels", "image_size": 32}, 2**30),  # many features
        ({"features": "pixels", "image_size": 32, "components": 299}, 2**30),
        ({"features": "pixels", "image_size": 32, "components": 2}, 300_000),  # a sample
        ({"features": "color", "clusters": 120}, 1),  # no fewer rows than clusters
        ({"features": "lbp", "components": 70, "clusters": "auto"}, 1),  # or than components
        ({"features": "hog+color"}, 1_000_000),
    ],
)
def test_the_fit_has_the_size_that_was_estimated(
    submit: Callable[..., Ledger],
    load: Callable[[Ledger], None],
    context: WorkerContext,
    digits: Path,
    projected: list[tuple[int, int]],
    options: dict[str, object],
    fit_memory: int,
) -> None:
    ledger = submit(digits, 100, **options)
    load(ledger)
    context = replace(context, settings=replace(context.settings, fit_memory=fit_memory))
    fit_job(context, ledger.job_id)
    model = FittedModel.from_bytes(context.results(ledger.job_id).model())
    ((n_rows, n_axes),) = projected
    assert model.rows_fitted == n_rows
    found = FitSize(n_rows, len(model.components), n_axes)
    assert found == estimate_fit(ledger.request, N_IMAGES, fit_memory)


@pytest.mark.parametrize("features", ["pixels", "hog", "pixels+color"])
def test_a_batch_has_the_bytes_that_were_estimated(
    submit: Callable[..., Ledger],
    run: Callable[[Ledger], Ledger],
    context: WorkerContext,
    digits: Path,
    features: str,
) -> None:
    ledger = run(submit(digits, 100, features=features))
    results = context.results(ledger.job_id)
    n_components = results.summary().n_components
    for batch, (hashes, labels, coordinates) in enumerate(
        zip(results.hashes(), results.labels(), results.coordinates(), strict=True)
    ):
        assert [len(hashes), len(labels)] == _batch_values(100)
        shard = results.shards.read(results.shards.names(Kind.FEATURES)[batch])
        expected = _batch_shards(ledger.request, 100, n_components)
        assert [len(shard), len(coordinates)] == expected


@pytest.fixture
def embedded(server_directory: Path) -> Iterator[Client]:
    """A client with a server of its own."""
    home = Path(tempfile.mkdtemp(dir=server_directory))
    with QuickClient(settings=Settings(home=home), start_workers=False) as embedded:
        yield embedded


def test_the_disk_that_is_looked_at_is_that_of_the_embedded_servers_file(embedded: Client) -> None:
    disk = find_disk(embedded.settings)
    assert str(disk.directory) == embedded.redis.config_get("dir")["dir"]
    assert disk.free_bytes is not None
    assert abs(disk.free_bytes - shutil.disk_usage(disk.directory).free) < 2**30
    missing = Settings(home=Path("/nowhere"))
    assert find_disk(missing).free_bytes is None


@pytest.mark.parametrize(("gigabytes", "is_told"), [(0.001, None), (0.016, True), (1, False)])
def test_a_job_for_the_embedded_server_is_told_of_a_disk_that_is_nearly_full(
    embedded: Client,
    digits: Path,
    monkeypatch: pytest.MonkeyPatch,
    gigabytes: float,
    is_told: bool | None,
) -> None:
    usage = shutil.disk_usage(digits)._replace(free=int(gigabytes * 2**30))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    folder, told = read_folder(digits), list[str]()
    data = f"{embedded.settings.home}/data"
    if is_told is None:
        with pytest.raises(UsageError, match=f"{data} has 1.0 MB left: make room there"):
            embedded.submit_listing(folder, notify=told.append)
        assert list(embedded.jobs()) == []
    else:
        embedded.submit_listing(folder, notify=told.append)
        assert len(list(embedded.jobs())) == 1
    assert [data in line for line in told] == [True] * bool(is_told)
