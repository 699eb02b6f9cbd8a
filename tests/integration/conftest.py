"""Whole jobs in this process: the stages, called as the tasks call them."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from quick import QuickClient
from sklearn.datasets import load_digits

from shoal import Client
from shoal.producer.submission.batches import batch_size_for, split_batches
from shoal.producer.submission.folder import read_folder
from shoal.producer.submission.listing import Listing
from shoal.shared.settings import Settings
from shoal.shared.store import Commit, Ledger
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading.loading import load_batch

BROKEN = {"000-empty.png": b"", "150-broken.png": b"no image", "999-late.png": b"\x89PNG\r\n\x1a\n"}


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 handwritten digits."""
    directory = tmp_path_factory.mktemp("digits")
    for number, pixels in enumerate(load_digits().images[:300]):
        grey = np.round(pixels * (255 / 16)).astype(np.uint8)
        Image.fromarray(grey).save(directory / f"{number:03}.png")
    return directory


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """40 digits, and a broken file before, among and after them."""
    directory = tmp_path_factory.mktemp("mixed")
    for path in sorted(digits.iterdir())[130:170]:
        (directory / path.name).write_bytes(path.read_bytes())
    for name, content in BROKEN.items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture
def submit(register: Callable[..., Ledger]) -> Callable[..., Ledger]:
    """Registers a folder's images; returns the job's ledger."""

    def submit(directory: Path, batch_size: int = 10, **options: object) -> Ledger:
        folder: Listing = read_folder(directory)
        batches = split_batches(folder.paths, batch_size or batch_size_for(len(folder.paths)))
        return register(batches, source=str(folder.source), **options)

    return submit


@pytest.fixture
def load(context: WorkerContext) -> Callable[[Ledger], None]:
    """Loads all batches of a job."""

    def load(ledger: Ledger) -> None:
        for batch in range(context.results(ledger.job_id).n_batches()):
            assert load_batch(context, ledger.job_id, batch, False) is Commit.COMMITTED

    return load


@pytest.fixture
def run(context: WorkerContext) -> Callable[..., Ledger]:
    """Runs a job to its end, its batches in an order of their own if ``seed`` is given."""

    def run(ledger: Ledger, seed: int | None = None) -> Ledger:
        batches = list(range(context.results(ledger.job_id).n_batches()))
        if seed is not None:
            random.Random(seed).shuffle(batches)
        for batch in batches:
            assert load_batch(context, ledger.job_id, batch, False) is Commit.COMMITTED
        fit_job(context, ledger.job_id)
        for batch in reversed(batches):
            assert label_batch(context, ledger.job_id, batch, False) is Commit.COMMITTED
        finish_job(context, ledger.job_id)
        return ledger

    return run


@pytest.fixture
def python_client(redis: Any, server_url: str, shards_url: str | None) -> Iterator[Client]:
    """The Python client of the server and of the place."""
    with QuickClient(server_url, settings=Settings(shards_url=shards_url)) as python_client:
        yield python_client
