"""Photographs to measure with: crops of those that come with the dependencies.

``python -m benchmarks.photographs DIR 4000`` writes 4,000 JPEG files of 500 × 375 pixels.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

WIDTH, HEIGHT = 500, 375
QUALITY = 85
SOURCES = ("astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry")
LARGEST_CROP, SMALLEST_CROP = 1.0, 0.4


def load_sources() -> list[Image.Image]:
    """Return the photographs that come inside scikit-image and scikit-learn."""
    arrays = [getattr(data, name)() for name in SOURCES] + load_sample_images().images
    return [Image.fromarray(array) for array in arrays]


def crop(source: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Return a random part of ``source``, mirrored half of the time, at the size wanted."""
    share = generator.uniform(SMALLEST_CROP, LARGEST_CROP)
    width = int(min(source.width, source.height * WIDTH / HEIGHT) * share)
    height = width * HEIGHT // WIDTH
    left = int(generator.integers(0, source.width - width + 1))
    top = int(generator.integers(0, source.height - height + 1))
    part = source.crop((left, top, left + width, top + height)).resize((WIDTH, HEIGHT))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if generator.random() < 0.5 else part


def make_photographs(directory: Path, count: int, random_state: int = 0) -> Path:
    """Write ``count`` photographs to ``directory``, those that are not there yet; return it."""
    sources = load_sources()
    for number in range(count):
        path = directory / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        generator = np.random.default_rng((random_state, number))
        crop(sources[number % len(sources)], generator).save(path, quality=QUALITY)
    return directory


if __name__ == "__main__":
    make_photographs(Path(sys.argv[1]), int(sys.argv[2]))
