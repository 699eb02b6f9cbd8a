"""Depth: how many bits the values of a picture have where Pillow holds them in sixteen.

Workers and the page agree here on what is white.
"""

SIXTEEN = 16
BITS_PER_SAMPLE_TAG = 258


def find_depth(picture: object) -> int:
    """Return the bits of a value of a Pillow picture that is deeper than eight: 9 to 16.

    A TIFF of twelve bits has the mode of one of sixteen, I;16, but 4,095 for white.
    """
    (depth, *_) = getattr(picture, "tag_v2", {}).get(BITS_PER_SAMPLE_TAG) or (SIXTEEN,)
    return int(depth) if 8 < depth < SIXTEEN else SIXTEEN
