"""A raw file of a camera: a DNG, as small as LibRaw takes it."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

CAMERA = [
    (50706, "B", 4, (1, 4, 0, 0), True),  # DNGVersion
    (271, "s", 0, "Test", True),  # Make
    (272, "s", 0, "Camera", True),  # Model
    (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),  # ColorMatrix1
    (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # AsShotNeutral
]
SENSOR = [
    (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
    (33422, "B", 4, (0, 1, 1, 2), True),  # CFAPattern
    (50717, "I", 1, 65535, True),  # WhiteLevel
]
COLOUR_FILTER_ARRAY = 32803


def write_raw(
    path: Path, sensor: NDArray[np.uint16], preview: NDArray[np.uint8] | None, orientation: int = 1
) -> None:
    """Write what a sensor saw, shape (height, width), and the preview that the camera made."""
    tags = [*CAMERA, (274, "H", 1, orientation, True)]
    with tifffile.TiffWriter(path) as file:
        if preview is not None:
            file.write(
                preview,
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 95},
                rowsperstrip=len(preview),
                extratags=tags,
                metadata=None,
                subfiletype=1,
                subifds=1,
            )
            tags = []
        file.write(
            sensor,
            photometric=COLOUR_FILTER_ARRAY,
            extratags=[*tags, *SENSOR],
            metadata=None,
            subfiletype=0,
        )
