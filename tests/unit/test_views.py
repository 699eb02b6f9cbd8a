import numpy as np
import pytest
from PIL import Image

from benchmarks.views import ASPECT_RATIOS, SIDES, choose_frame, take_views

WIDE, TALL = (640, 400), (400, 640)


@pytest.fixture
def ramp() -> Image.Image:
    return Image.linear_gradient("L").resize(WIDE)


@pytest.mark.parametrize("size", [WIDE, TALL])
def test_frame_lies_in_the_picture_and_has_the_subject(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    near, far = np.array([(0.55, 0.1), (0.75, 0.4)]) * size
    for _ in range(200):
        frame = choose_frame(size, (0.55, 0.1, 0.75, 0.4), generator)
        assert np.all((frame[:2] >= np.zeros(2)) & (frame[:2] <= near + 1))
        assert np.all((frame[2:] <= np.array(size)) & (frame[2:] >= far - 1))


def test_frame_has_the_middle_of_a_subject_that_fills_the_picture() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        left, top, right, bottom = choose_frame(WIDE, (0.0, 0.0, 1.0, 1.0), generator)
        assert (left + right) / 2 == pytest.approx(WIDE[0] / 2, abs=1)
        assert (top + bottom) / 2 == pytest.approx(WIDE[1] / 2, abs=1)
        shape = (right - left) / (bottom - top)
        assert min(abs(shape - ratio) for ratio in ASPECT_RATIOS) < 0.01


def test_views_of_one_seed_are_the_same_and_differ_from_each_other(ramp: Image.Image) -> None:
    views = [list(take_views(ramp, 6, random_state=7)) for _ in range(2)]
    assert [view.tobytes() for view in views[0]] == [view.tobytes() for view in views[1]]
    assert len({view.tobytes() for view in views[0]}) == 6


def test_views_are_of_a_size_that_is_fast_and_never_enlarged(ramp: Image.Image) -> None:
    assert all(max(view.size) <= SIDES[1] for view in take_views(ramp, 20, random_state=0))
    small = ramp.resize((64, 40))
    assert all(max(view.size) <= 64 for view in take_views(small, 20, random_state=0))
