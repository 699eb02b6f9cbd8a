"""A thousand broken and odd images: what becomes of each, whatever was decoded before."""

import multiprocessing
import random
import re
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256

import psutil
import pytest
from corpus import IMAGE_SIZE, LIMITS, outcome_of, outcomes_of, unpack_corpus

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.worker.images.isolation import IsolatedLoader

pytestmark = pytest.mark.filterwarnings("ignore")  # of Pillow, about what is odd in them

# On two cores with other work; the slowest takes 0.1 s.
MOST_SECONDS = 10
# The largest of them takes 0.1 GB.
MEMORY_BYTES = 2**30
N_GROUPS = 24


@pytest.fixture(scope="module")
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    cache = request.config.cache
    assert cache
    return unpack_corpus(cache.mkdir("corpus"), tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def outcomes(corpus: list[str]) -> dict[str, str]:
    return outcomes_of(corpus)


def shuffled(paths: list[str], seed: int) -> list[str]:
    return random.Random(seed).sample(paths, len(paths))


def reason_in(outcome: str) -> str:
    return outcome.partition(":")[0] if ":" in outcome else "loaded"


def test_each_file_is_loaded_or_fails_for_a_reason_of_its_own(outcomes: dict[str, str]) -> None:
    counts = Counter(map(reason_in, outcomes.values()))
    assert len(outcomes) > 1000
    assert counts.pop("loaded") > 700
    expected = {FailureReason.NOT_AN_IMAGE, FailureReason.DAMAGED, FailureReason.TRUNCATED}
    assert set(counts) == expected | {FailureReason.TOO_MANY_PIXELS}
    # An address would be another one in each process.
    assert not [outcome for outcome in outcomes.values() if re.search("0x[0-9a-f]{6}", outcome)]


def test_no_file_takes_long(corpus: list[str]) -> None:
    slow = []
    for path in corpus:
        started = time.monotonic()
        outcome_of(path)
        if time.monotonic() - started > MOST_SECONDS:
            slow.append(path)
    assert slow == []


@pytest.mark.parametrize("seed", [1, 2])
def test_the_outcome_is_the_same_after_any_other_file(
    corpus: list[str], outcomes: dict[str, str], seed: int
) -> None:
    assert outcomes_of(shuffled(corpus, seed)) == outcomes


def outcomes_in_fresh_processes(groups: list[list[str]]) -> dict[str, str]:
    """Work off each group in a process that has decoded nothing before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "corpus"])
    found: dict[str, str] = {}
    with ProcessPoolExecutor(2, context, max_tasks_per_child=1) as pool:
        for outcomes in pool.map(outcomes_of, groups):
            found |= outcomes
    return found


def test_the_outcome_is_the_same_in_fresh_processes(
    corpus: list[str], outcomes: dict[str, str]
) -> None:
    paths = shuffled(corpus, 3)
    groups = [paths[number::N_GROUPS] for number in range(N_GROUPS)]
    assert outcomes_in_fresh_processes(groups) == outcomes


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_outcome_of_each_file_is_the_same_in_a_process_of_its_own(
    corpus: list[str], outcomes: dict[str, str]
) -> None:
    assert outcomes_in_fresh_processes([[path] for path in corpus]) == outcomes


def isolated_outcome(loader: IsolatedLoader, path: str) -> str:
    try:
        return sha256(loader.load(path).pixels.tobytes()).hexdigest()
    except UnreadableImageError as error:
        return str(error)


def decoders() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "shoal.worker.images.decoder" in child.cmdline()]


def test_no_file_costs_a_process_or_much_memory(
    corpus: list[str], outcomes: dict[str, str]
) -> None:
    before = set(decoders())
    with IsolatedLoader(IMAGE_SIZE, LIMITS, MOST_SECONDS, MEMORY_BYTES) as loader:
        assert isolated_outcome(loader, corpus[0]) == outcomes[corpus[0]]
        first = set(decoders()) - before
        assert {path: isolated_outcome(loader, path) for path in corpus} == outcomes
        assert set(decoders()) - before == first
