"""Colours of clusters stay apart, for colour-blind eyes too, and are seen on their ground."""

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from shoal.shared.palette import (
    COLOURS,
    DARK_COLOURS,
    DARK_GREYS,
    GREYS,
    MAX_NAMED,
    colour_number,
    shape_number,
)

# Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color
# vision deficiency", at full severity.
VISION = {
    "normal": np.eye(3),
    "protanope": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranope": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanope": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# Two colours side by side differ from 2 on; points of a plot should by several times as much.
LEAST_DIFFERENCE = 12.0
# WCAG 2.2, 1.4.11: of what is needed to understand a picture.
LEAST_CONTRAST = 3.0
SCHEMES = {"light": (COLOURS, GREYS, "#f6f8fa"), "dark": (DARK_COLOURS, DARK_GREYS, "#1c2226")}


def read_rgb(colours):
    return np.array([list(bytes.fromhex(colour[1:])) for colour in colours]) / 255


def linearize(rgb):
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def see(colours, matrix):
    """Return colours as somebody sees them, in CIELAB."""
    seen = np.clip(linearize(read_rgb(colours)) @ matrix.T, 0, 1)
    rgb = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    return rgb2lab(rgb[np.newaxis])[0]


def measure_contrast(colours, ground):
    first, second = (
        linearize(read_rgb(each)) @ (0.2126, 0.7152, 0.0722) for each in (colours, [ground])
    )
    return (np.maximum(first, second) + 0.05) / (np.minimum(first, second) + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_two_of_forty_clusters_differ_in_shape_or_clearly_in_colour(scheme, vision):
    colours, *_ = SCHEMES[scheme]
    seen = see(colours, VISION[vision])
    for one, other in combinations(range(MAX_NAMED), 2):
        if shape_number(one) == shape_number(other):
            pair = seen[colour_number(one)], seen[colour_number(other)]
            assert deltaE_ciede2000(*pair) > LEAST_DIFFERENCE, (one, other)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_colour_is_seen_on_its_ground_and_is_no_grey(scheme):
    colours, greys, ground = SCHEMES[scheme]
    assert (measure_contrast(colours, ground) >= LEAST_CONTRAST).all()
    differences = deltaE_ciede2000(
        see(colours, np.eye(3))[:, np.newaxis], see(greys, np.eye(3))[np.newaxis]
    )
    assert differences.min() > LEAST_DIFFERENCE


def test_neighbours_in_number_differ_in_colour_and_none_is_in_a_scheme_twice():
    assert all(colour_number(n) != colour_number(n + 1) for n in range(MAX_NAMED))
    assert len(set(COLOURS)) == len(set(DARK_COLOURS)) == len(COLOURS) == len(DARK_COLOURS)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_and_reports_have_the_same_colours(scheme):
    colours, greys, _ = SCHEMES[scheme]
    style = (files("shoal.producer.components") / "static/style.css").read_text()
    parts = dict(zip(SCHEMES, style.split("@media (prefers-color-scheme: dark)")[:2], strict=True))
    found = dict(re.findall(r"--c(-?\d): (#\w{6});", parts[scheme]))
    expected = dict(enumerate(colours)) | {-1: greys[0], -2: greys[1]}
    assert found == {str(number): colour for number, colour in expected.items()}
