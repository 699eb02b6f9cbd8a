"""Views of one picture, as a photographer takes several: nearer, from the side, in other light."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageEnhance

Box = tuple[float, float, float, float]

CENTRE: Box = (0.35, 0.35, 0.65, 0.65)
ASPECT_RATIOS = (1.0, 4 / 3, 3 / 4, 3 / 2)
SIDES = (240, 400)  # pixels of the longer side
LIGHT = 0.15  # brightness, contrast and colour change by at most this share


def take_views(
    picture: Image.Image, n_views: int, random_state: int, subject: Box = CENTRE
) -> Iterator[Image.Image]:
    """Yield views of a picture, each with its whole subject.

    Args:
        picture: What is photographed.
        n_views: How many views.
        random_state: Seed: the same seed gives the same views.
        subject: Where the subject is: left, top, right and bottom as shares of width and height.
    """
    generator = np.random.default_rng(random_state)
    colours = picture.convert("RGB")
    for _ in range(n_views):
        view = colours.crop(choose_frame(picture.size, subject, generator))
        longer = int(generator.integers(*SIDES, endpoint=True))
        view.thumbnail((longer, longer))
        if generator.random() < 0.5:
            view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield change_light(view, generator)


def choose_frame(
    size: tuple[int, int], subject: Box, generator: np.random.Generator
) -> tuple[int, int, int, int]:
    """Return a frame, in pixels, of some usual shape, around the subject and in the picture."""
    picture = np.array(size)
    near, far = np.reshape(subject, (2, 2)) * picture
    shape = np.array([generator.choice(ASPECT_RATIOS), 1.0])
    smallest = max((far - near) / shape)
    largest = min(picture / shape)
    sides = np.minimum(shape * generator.uniform(min(smallest, largest), largest), picture)
    # A subject larger than the frame is seen about its middle.
    middle, fits = (near + far - sides) / 2, far - near <= sides
    first = np.clip(np.where(fits, far - sides, middle), 0, picture - sides)
    last = np.clip(np.where(fits, near, middle), 0, picture - sides)
    left, top = np.rint(generator.uniform(first, last)).astype(int).tolist()
    width, height = sides.astype(int).tolist()
    return left, top, left + width, top + height


def change_light(view: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Return a view in slightly other light."""
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        view = enhancer(view).enhance(generator.uniform(1 - LIGHT, 1 + LIGHT))
    return view
