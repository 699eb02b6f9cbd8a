"""The estimate of a job, tied to what its fit and its store then have."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shoal.producer.submission.estimate import _batch_values, estimate_fit
from shoal.shared.recipe.fit import FitSize
from shoal.shared.store import Ledger, Results
from shoal.worker.model.components import ScaledRows
from shoal.worker.model.model import Model
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
    model = Model.from_bytes(context.results(ledger.job_id).model())
    ((n_rows, n_axes),) = projected
    assert model.rows_fitted == n_rows
    found = FitSize(n_rows, len(model.components), n_axes)
    assert found == estimate_fit(ledger.request, N_IMAGES, fit_memory)


@pytest.mark.parametrize("features", ["pixels", "hog", "pixels+color"])
def test_a_batch_has_the_bytes_that_were_estimated(
    submit: Callable[..., Ledger], run: Callable[[Ledger], Ledger], digits: Path, features: str
) -> None:
    ledger = run(submit(digits, 100, features=features))
    results = Results(ledger.client, ledger.job_id)
    for values in zip(
        map(results.features, range(results.n_batches())),
        results.statistics(),
        results.hashes(),
        results.labels(),
        strict=True,
    ):
        assert [len(value) for value in values] == _batch_values(ledger.request, 100)
