"""What the folders of clusters are called, and what images are called in them."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from shoal.producer.cli.organize import MODES
from shoal.producer.organizing import Mode
from shoal.producer.organizing.plan import Plan, _UniqueNames, name_folders
from shoal.producer.results.names import check_names, group_clusters, with_names
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


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        ({0: "cats", 2: "Cats"}, ["cats", "01", "cats"]),
        ({0: "a/b", 1: "a/b", 2: "a-b"}, ["a-b", "a-b", "02-a-b"]),
        ({0: "a/b", 1: "a/b", 2: "a-b", 3: "a-b"}, ["a-b", "a-b", "02-a-b", "02-a-b"]),
        ({0: "noise", 1: "noise"}, ["00-noise", "00-noise", "02"]),
        ({0: "02", 1: "02"}, ["00-02", "00-02", "02"]),
        ({1: "nul", 2: "nul"}, ["00", "01-nul", "01-nul"]),
        ({1: "???", 2: "???"}, ["00", "01", "01"]),
    ],
)
def test_clusters_of_one_name_have_one_folder_that_is_no_others(names, folders):
    assert list(name_folders(len(folders), names).values()) == [*folders, "noise"]


def test_images_of_one_folder_keep_their_paths_or_get_numbers():
    paths = ["a.jpg", "b/a.jpg", "c/a.jpg", "d/e.jpg"]
    folders = name_folders(2, {0: "cats", 1: "cats"})
    results = store(paths, [0, 1, 0, 1])
    kept = [step.target for step in Plan(results, folders, is_flat=False)]
    assert kept == [f"cats/{path}" for path in paths]
    flat = [step.target for step in Plan(results, folders, is_flat=True)]
    assert flat == ["cats/a.jpg", "cats/a-2.jpg", "cats/a-3.jpg", "cats/e.jpg"]


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


def test_clusters_of_one_name_are_a_group_that_is_spelt_in_one_way():
    named = with_names(SUMMARY, {1: "cats"})
    assert check_names({2: "CATS"}, named) == {2: "cats"}
    assert check_names({1: "Cats", 2: "CATS"}, named) == {1: "Cats", 2: "Cats"}
    together = with_names(SUMMARY, {0: "dogs", 2: "Dogs", 1: "cats"})
    assert [(group.name, group.labels, group.size) for group in together.groups] == [
        ("dogs", [0, 2], 2),
        ("cats", [1], 1),
    ]
    assert [[each.label for each in group] for group in group_clusters(together.clusters)] == [
        [0, 2],
        [1],
    ]


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
    chosen = [names.choose("00", f"{number}/image.jpg") for number in range(300)]
    assert (chosen[0], chosen[1], chosen[-1]) == ("image.jpg", "image-2.jpg", "image-300.jpg")
    assert len(set(chosen)) == 300
    assert len(tried) < 300 * 6
