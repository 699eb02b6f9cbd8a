from io import BytesIO

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from shoal.shared.findings import ClusterChoice
from shoal.worker.clustering.choosing import Trial, choose_trial
from shoal.worker.plots import encode_png, plot_choice
from shoal.worker.plots.choice import make_choice_figure


def make_choice(most: int) -> ClusterChoice:
    trials = [Trial(k, 0.4 - abs(k - 7) / 50, (0.9,) * 9 + (0.5,)) for k in range(2, most + 1)]
    return (
        choose_trial(trials)
        if trials
        else ClusterChoice(n_clusters=1, reason="1: there is no difference to see")
    )


def read_words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


@pytest.mark.parametrize("most", [1, 2, 20])
def test_no_text_is_cut(most: int) -> None:
    figure = make_choice_figure(make_choice(most))
    figure.canvas.draw()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert 0 <= drawn.x0 < drawn.x1 <= width
    assert 0 <= drawn.y0 < drawn.y1 <= height


def test_the_reason_and_the_chosen_values_are_written() -> None:
    words = read_words(make_choice_figure(make_choice(20)))
    assert {"7: best silhouette, stable in 9 of 10 runs", "0.40", "0.86"} <= set(words)


def test_the_plot_is_a_png_of_the_common_width() -> None:
    with Image.open(BytesIO(encode_png(plot_choice(make_choice(20))))) as image:
        assert (image.format, image.width) == ("PNG", 1500)
