import subprocess
import sys
from pathlib import Path

import pytest

from shoal.producer.evaluation import evaluate, truth_from_csv, truth_from_folders
from shoal.shared.errors import UsageError


def write(folder: Path, text: str) -> Path:
    file = folder / "labels.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_clusters_that_are_the_classes_score_one_whatever_their_numbers() -> None:
    scores = evaluate([1, 1, 0, 0], ["cat", "cat", "dog", "dog"])
    assert (scores.nmi, scores.ari, scores.v_measure) == (1, 1, 1)
    assert scores.clusters == (0, 1)
    assert scores.classes == ("cat", "dog")
    assert scores.confusion == ((0, 2), (2, 0))


def test_scores_of_a_split_class_are_those_worked_out_by_hand() -> None:
    # Clusters within classes: homogeneous. H(class) = ln 2, H(cluster) = 1.5 ln 2, and their
    # mutual information is ln 2. Of 6 pairs, 1 is together in both, 1 in clusters, 2 in classes:
    # (1 - 1 × 2 / 6) / ((1 + 2) / 2 - 1 × 2 / 6) = 4 / 7.
    scores = evaluate([0, 0, 1, 2], ["cat", "cat", "dog", "dog"])
    assert scores.images == 4
    assert scores.homogeneity == pytest.approx(1)
    assert scores.completeness == pytest.approx(2 / 3)
    assert scores.v_measure == pytest.approx(0.8)
    assert scores.nmi == pytest.approx(0.8)
    assert scores.ari == pytest.approx(4 / 7)


def test_noise_is_a_cluster_of_its_own() -> None:
    scores = evaluate([-1, 0, 0], ["cat", "cat", "dog"])
    assert scores.clusters == (-1, 0)
    assert scores.confusion == ((1, 0), (1, 1))


def test_nothing_to_compare_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="no image"):
        evaluate([], [])


def test_the_class_of_a_path_is_its_first_folder() -> None:
    assert truth_from_folders(["cat/a/1.png", "dog/2.png", "3.png"]) == {
        "cat/a/1.png": "cat",
        "dog/2.png": "dog",
    }


def test_a_folder_that_all_have_in_common_is_no_class() -> None:
    assert truth_from_folders(["train/cat/1.png", "train/dog/a/2.png", "train/3.png", "4.png"]) == {
        "train/cat/1.png": "cat",
        "train/dog/a/2.png": "dog",
    }
    with pytest.raises(UsageError, match="CSV"):
        truth_from_folders(["train/1.png", "train/2.png"])


def test_images_without_folders_need_a_table() -> None:
    with pytest.raises(UsageError, match="CSV"):
        truth_from_folders(["1.png", "2.png"])


def test_a_table_gives_the_class_of_the_paths_that_it_names(tmp_path: Path) -> None:
    file = write(tmp_path, '\ufeffid,label,path\n1,cat,./a.png\n2,"dog, big",b/é.png\n3,,c.png\n')
    assert truth_from_csv(file, ["a.png", "b/é.png", "c.png", "d.png"]) == {
        "a.png": "cat",
        "b/é.png": "dog, big",
    }


def test_a_table_names_paths_as_our_labels_do_or_byte_for_byte(tmp_path: Path) -> None:
    paths = ["caf\udce9.png", "b\udcff.png", "=1.png", "x\\xe9.png"]
    file = tmp_path / "known.csv"
    file.write_bytes(b"path,label\ncaf\\xe9.png,a\nb\xff.png,b\n./=1.png,c\nx\\xe9.png,d\n")
    assert truth_from_csv(file, paths) == dict(zip(paths, "abcd", strict=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column path and label; its first line names nothing"),
        ("path,class\na.png,cat\n", "no column label; its first line names path, class"),
        ("path,label\n/photos/a.png,cat\n", "'/photos/a.png' must be relative"),
        ("path,label\n", "no path of this job$"),
        ("path,label\na.png,cat\n./a.png,dog\n", "line 3: 'a.png' has two labels"),
        ("path,label\na.png\n", "no path of this job$"),
    ],
)
def test_a_table_that_cannot_work_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        truth_from_csv(write(tmp_path, text), ["a.png"])


@pytest.mark.parametrize(("name", "words"), [("gone.csv", "No such file"), ("", "directory")])
def test_a_table_that_cannot_be_opened_says_why(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        truth_from_csv(tmp_path / name, ["a.png"])


def test_arrays_are_imported_by_those_who_evaluate_only() -> None:
    code = (
        "import sys, shoal.producer.evaluation; assert not {'numpy', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
