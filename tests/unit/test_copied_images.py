"""Groups of copies: which image stands for the others."""

import numpy as np
import pytest

from shoal.shared.text import show_copies
from shoal.worker.findings.copies import Copies, no_copies
from shoal.worker.findings.duplicates import group_copies

# Rows 1, 4 and 6 are one group, rows 2 and 3 another.
COPIES = Copies(np.array([1, 4, 6, 2, 3]), np.array([0, 0, 0, 1, 1]))
LABELS = np.array([0, 0, 1, 1, 0, 0, 1, -1], np.int32)
DISTANCES = np.array([5, 2, 3, 3, 1, 9, 4, 7], np.float32)


def test_the_further_images_of_a_group_are_paired_with_its_first():
    further, firsts = COPIES.pair_with_first()
    assert further.tolist() == [3, 4, 6]
    assert firsts.tolist() == [2, 1, 1]


def test_each_image_knows_how_many_others_its_group_has():
    assert COPIES.count_others(8).tolist() == [0, 2, 1, 1, 2, 0, 2, 0]


def test_one_of_a_group_is_shown_in_each_cluster_the_nearest_of_equals_the_first():
    assert COPIES.list_shown(LABELS, DISTANCES).tolist() == [0, 2, 4, 5, 6, 7]


def test_one_of_a_group_is_shown_of_all_clusters():
    everywhere = np.zeros(8, np.int32)
    assert COPIES.list_shown(everywhere, -DISTANCES).tolist() == [0, 2, 5, 6, 7]


def test_without_copies_all_images_are_shown():
    copies = no_copies()
    assert copies.list_shown(LABELS, DISTANCES).tolist() == list(range(8))
    assert copies.count_others(3).tolist() == [0, 0, 0]
    assert [found.tolist() for found in copies.pair_with_first()] == [[], []]


def test_copies_have_the_same_content_or_hashes_that_differ_in_three_bits_at_most():
    contents = np.array([9, 8, 7, 9, 6], np.uint64)
    hashes = np.array([0, 0xFF00, 0xFF00 ^ 0b111, 0, 0xFF00 ^ 0b1111_0000], np.uint64)
    found = group_copies(contents, hashes)
    assert found.rows.tolist() == [0, 3, 1, 2]
    assert found.groups.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("count", "words"), [(0, ""), (1, "+1 copy"), (4, "+4 copies"), (12_345, "+12,345 copies")]
)
def test_copies_are_shown_in_words(count, words):
    assert show_copies(count) == words
