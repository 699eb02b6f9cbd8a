"""A job's images by number, whatever their batches."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest

from shoal.producer.results.catalogue import Catalogue, Member
from shoal.shared.errors import UsageError
from shoal.shared.findings import FailureReason
from shoal.shared.store import Ledger, Results
from shoal.shared.store.rows import LABEL_ROW, FailedImage, Shape
from shoal.shared.wire import encode

# Batches as of a job whose last ones are smaller, and what failed of each, by position.
BATCHES = [["a", "b", "c", "d"], ["e", "f", "g", "h"], ["i", "j"], ["k"], ["l", "m"]]
FAILED = [[3], [], [0], [0], []]
PATHS = list(chain.from_iterable(BATCHES))
LOADED = "abcefghjlm"
Register = Callable[..., Ledger]


def store(results: Results, batch: int, rows: list[tuple[int, float]], failed: list[int]) -> None:
    """Leave what the catalogue reads of a batch: rows of label and distance, and failures."""
    notes = {
        results.keys.shapes: encode(Shape(len(rows), 2, "|u1")),
        results.keys.failures: encode(
            [FailedImage(position, FailureReason.DAMAGED, "") for position in failed]
        ),
    }
    for key, value in notes.items():
        results.client.hset(key, str(batch), value)
    labels = b"".join(LABEL_ROW.pack(*row, 0, 0, 0, 0) for row in rows)
    results.client.hset(results.keys.labels, str(batch), labels)


@pytest.fixture
def catalogue(redis: Any, register: Register) -> Catalogue:
    """Images whose cluster alternates, and whose distance falls in the order of the manifest."""
    results = Results(redis, register(BATCHES).job_id)
    for batch, (paths, failed) in enumerate(zip(BATCHES, FAILED, strict=True)):
        kept = [PATHS.index(path) for i, path in enumerate(paths) if i not in failed]
        store(results, batch, [(place % 2, 20.0 - place) for place in kept], failed)
    return Catalogue(results)


def places(members: list[Member]) -> list[tuple[int, str]]:
    return [(member.number, member.path) for member in members]


def test_the_number_of_an_image_is_its_place_in_the_manifest(catalogue: Catalogue) -> None:
    assert [catalogue.number(path) for path in PATHS] == list(range(len(PATHS)))
    assert {catalogue.path(PATHS.index(path)) for path in LOADED} == set(LOADED)


def test_rows_and_members_have_the_same_numbers(catalogue: Catalogue) -> None:
    expected = [(PATHS.index(path), path) for path in LOADED]
    assert places(catalogue.rows(0, 100)) == expected
    assert places(catalogue.rows(6, 3)) == expected[6:9]
    for label in (0, 1):
        of_label = [place for place in reversed(expected) if place[0] % 2 == label]
        assert places(catalogue.members(label, 0, 100)) == of_label


@pytest.mark.parametrize("number", [-1, 3, 8, 10, 13, 10**15])
def test_what_failed_or_never_was_has_no_path(catalogue: Catalogue, number: int) -> None:
    with pytest.raises(UsageError, match=f"no loaded image with number {number}"):
        catalogue.path(number)


@pytest.mark.parametrize("path", ["", "aa", "k.png", "z"])
def test_a_path_that_the_job_has_not_has_no_number(catalogue: Catalogue, path: str) -> None:
    with pytest.raises(UsageError, match="no image"):
        catalogue.number(path)


def test_many_batches_cost_few_round_trips(redis: Any, register: Register) -> None:
    ledger = register([[f"{batch:04}", f"{batch:04}b"] for batch in range(1000)])
    results = Results(redis, ledger.job_id)
    for batch in range(1000):
        store(results, batch, [(0, 0.0)], [1])
    before = redis.info("stats")["total_commands_processed"]
    assert Catalogue(results).path(1998) == "0999"
    assert redis.info("stats")["total_commands_processed"] - before < 20
