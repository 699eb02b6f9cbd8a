"""What the folders of clusters are called, and what images are called in them."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from shoal.producer.cli.organize import MODES
from shoal.producer.organizing import Mode
from shoal.producer.organizing.plan import Plan, _UniqueNames, name_folders
from shoal.producer.results.names import check_names, with_names
from shoal.shared.errors import UsageError
from shoal.shared.findings import ClusterSummary, Summary
from shoal.shared.store.rows import HASH_ROW, LABEL_ROW
from shoal.shared.store.tables import BatchPaths

SUMMARY = Summary(
    clusters=[ClusterSummary(label=n, size=1, representatives=[]) for n in range(3)],
    outliers=[],
    rows_fitted=3,
    n_components=2,
    explained_variance_ratio=[],
    inertia=0.0,
    versions={},
    duplicates=None,
)


DIGESTS = (7, 8, 2**64 - 1, 9)


def store(paths: Sequence[str], labels: Sequence[int]) -> Any:
    """What a plan reads of a job, in two batches."""
    label_rows = [LABEL_ROW.pack(label, 0, 0, 0, 0, 0) for label in labels]
    hash_rows = [HASH_ROW.pack(digest, 0) for digest in DIGESTS]
    return SimpleNamespace(
        batch_paths=lambda: [BatchPaths(list(paths[:2]), []), BatchPaths(list(paths[2:]), [])],
        labels=lambda: [b"".join(label_rows[:2]), b"".join(label_rows[2:])],
        hashes=lambda: [b"".join(hash_rows[:2]), b"".join(hash_rows[2:])],
    )


def test_the_modes_of_the_command_are_those_there_are():
    assert list(Mode) == list(MODES)


def test_numbers_have_two_digits_or_as_many_as_the_largest():
    assert name_folders(3, {}) == {0: "00", 1: "01", 2: "02", -1: "noise"}
    assert name_folders(1001, {})[7] == "0007"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("kitchen", "00-kitchen"),
        ("day/night: a\\b?", "00-day-night- a-b"),
        ('kitchen: "big"?', "00-kitchen-big"),
        ("..", "00"),
        ("Köln. ", "00-Köln"),
        ("CON", "00-CON"),
        ("猫" * 100, "00-" + "猫" * 40),
        ('<>:"|?*', "00"),
    ],
)
def test_names_become_such_as_every_file_system_takes(name, folder):
    assert name_folders(1, {0: name})[0] == folder


def test_images_keep_their_folders_and_their_digests():
    paths = ["A.jpg", "day/a.jpg", "day/b.jpg", "night/A.JPG"]
    plan = Plan(store(paths, [0, 0, 1, -1]), name_folders(2, {1: "b"}), is_flat=False)
    targets = ["00/A.jpg", "00/day/a.jpg", "01-b/day/b.jpg", "noise/night/A.JPG"]
    assert [step.target for step in plan] == targets
    assert [step.digest for step in plan] == list(DIGESTS)
    assert [(p.path, p.label) for p in plan.placements()][-1] == ("night/A.JPG", -1)


def test_flat_names_are_unique_in_whatever_case():
    results = store(["A.jpg", "a-2.jpg", "c/a.JPG", "d/a.jpg"], [0, 0, 0, 0])
    targets = [step.target for step in Plan(results, name_folders(1, {}), is_flat=True)]
    assert targets == ["00/A.jpg", "00/a-2.jpg", "00/a-3.JPG", "00/a-4.jpg"]


def test_names_are_stored_composed_and_without_space_around_them():
    assert check_names({0: " Ko\u0308ln ", 1: ""}, SUMMARY) == {0: "Köln", 1: ""}
    named = with_names(SUMMARY, {1: "cats"})
    assert [cluster.name for cluster in named.clusters] == ["", "cats", ""]
    assert check_names({1: "", 2: "Cats"}, named) == {1: "", 2: "Cats"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({3: "cats"}, "no cluster 3: they are numbered 0 to 2"),
        ({-1: "rest"}, "no cluster -1"),
        ({"0": "cats"}, "no cluster '0'"),
        ({0: 5}, "A name is a text, and not 5"),
        ({0: "a\x1bb"}, "cannot be shown"),
        ({0: "a\nb"}, "cannot be shown"),
        ({0: "x" * 101}, "at most 100 characters"),
        ({2: "CATS"}, "Clusters 1 and 2 would both be"),
        ({0: "dogs", 2: "Dogs"}, "Clusters 0 and 2 would both be 'Dogs'"),
    ],
)
def test_names_that_cannot_be_used_are_refused(names, message):
    with pytest.raises(UsageError, match=message):
        check_names(names, with_names(SUMMARY, {1: "cats"}))


def test_images_of_one_name_get_numbers_without_trying_all_before(monkeypatch):
    tried, fold = list[str](), _UniqueNames._fold

    def note(name: str) -> str:
        tried.append(name)
        return fold(name)

    monkeypatch.setattr(_UniqueNames, "_fold", staticmethod(note))
    names = _UniqueNames()
    chosen = [names.choose(0, f"{number}/image.jpg") for number in range(300)]
    assert (chosen[0], chosen[1], chosen[-1]) == ("image.jpg", "image-2.jpg", "image-300.jpg")
    assert len(set(chosen)) == 300
    assert len(tried) < 300 * 6
