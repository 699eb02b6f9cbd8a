"""Turns: the hashes that a picture has mirrored and turned, from the one that it has."""

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import Turn

Hashes = NDArray[np.uint64]

# Bit 8 r + c stands for the frequency r from top to bottom and c from left to right, once a hash
# is shifted by one bit for the mean. In a mirrored picture, odd frequencies change their sign.
_ODD_COLUMNS = np.uint64(0xAAAA_AAAA_AAAA_AAAA)
_ODD_ROWS = np.uint64(0xFF00_FF00_FF00_FF00)
_NONE = np.uint64(0)
_ONE = np.uint64(1)

# Whether rows and columns change places, and which bits are then negated.
_CHANGES: dict[Turn, tuple[bool, np.uint64]] = {
    Turn.NONE: (False, _NONE),
    Turn.BY_90: (True, _ODD_COLUMNS),
    Turn.BY_180: (False, _ODD_COLUMNS ^ _ODD_ROWS),
    Turn.BY_270: (True, _ODD_ROWS),
    Turn.MIRRORED: (False, _ODD_COLUMNS),
    Turn.MIRRORED_BY_90: (True, _ODD_COLUMNS ^ _ODD_ROWS),
    Turn.MIRRORED_BY_180: (False, _ODD_ROWS),
    Turn.MIRRORED_BY_270: (True, _NONE),
}
# By number: what undoes a turn. All but two are their own inverse.
INVERSES = np.array([0, 3, 2, 1, 4, 5, 6, 7], np.uint8)
# Those to search with: a picture that is turned by 270 degrees against another one is the one
# against which that is turned by 90.
SEARCHED = tuple(turn for turn in Turn if turn not in {Turn.NONE, Turn.BY_270})
# Steps that exchange rows and columns of 8 × 8 bits (H. S. Warren, Hacker's Delight, 2nd ed., 7-3).
_SWAPS = tuple(
    (np.uint64(shift), np.uint64(mask))
    for shift, mask in (
        (7, 0x00AA_00AA_00AA_00AA),
        (14, 0x0000_CCCC_0000_CCCC),
        (28, 0x0000_0000_F0F0_F0F0),
    )
)


def turn_hashes(hashes: Hashes, turn: Turn) -> Hashes:
    """Return the hashes of the same pictures turned.

    Args:
        hashes: From ``shoal.worker.images.hashes.perceptual_hash``, shape (n,); none is 0.
        turn: How the pictures are turned.
    """
    exchanged, negated = _CHANGES[turn]
    bits = hashes << _ONE
    if exchanged:
        for shift, mask in _SWAPS:
            swapped = (bits ^ (bits >> shift)) & mask
            bits ^= swapped ^ (swapped << shift)
    bits ^= negated
    bits >>= _ONE
    return bits
