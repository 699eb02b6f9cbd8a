from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from shoal.shared.findings import ClusterChoice
from shoal.worker.clustering.communities.choice import NO_DIFFERENCE, choose_trial
from shoal.worker.clustering.communities.trials import Trial
from shoal.worker.plots import encode_png, plot_choice
from shoal.worker.plots.choice import make_choice_figure


def make_choice(most: int) -> ClusterChoice:
    """Choose among 2 to ``most`` clusters, of which 7 are best."""
    trials = [
        Trial(np.arange(k, dtype=np.int32), 0, False, 1.0, 0.4 / (1 + abs(k - 7)), 0.86)
        for k in range(2, most + 1)
    ]
    return choose_trial(trials, 0.16)[1] if trials else NO_DIFFERENCE


def read_words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


@pytest.mark.parametrize("most", [1, 2, 4, 20, 400])
def test_no_text_is_cut(most: int) -> None:
    figure = make_choice_figure(make_choice(most))
    figure.canvas.draw()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert 0 <= drawn.x0 < drawn.x1 <= width
    assert 0 <= drawn.y0 < drawn.y1 <= height


def test_the_reason_and_the_chosen_values_are_written() -> None:
    words = read_words(make_choice_figure(make_choice(20)))
    finding, measured = (
        "7 clusters: the best of the numbers tried",
        "Silhouette 0.40, stability 0.86",
    )
    assert {finding, measured, "0.34", "0.40", "0.86"} <= set(words)


def test_the_plot_is_a_png_of_the_common_width() -> None:
    with Image.open(BytesIO(encode_png(plot_choice(make_choice(20))))) as image:
        assert (image.format, image.width) == ("PNG", 1500)
