import pytest

from shoal.shared.text import show_count


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1797, "1,797 images")]
)
def test_a_number_stands_with_its_noun(count, shown):
    assert show_count(count, "image") == shown
