"""Depth: how many bits the values of a picture have where Pillow holds them in sixteen.

It decides which value is white.
"""

SIXTEEN = 16
BITS_PER_SAMPLE_TAG = 258


def read_depth(picture: object) -> int:
    """Return how many bits, 9 to 16, a value of a Pillow picture deeper than eight bits has.

    A TIFF of twelve bits has the mode of one of sixteen, I;16, but 4,095 for white.
    """
    (depth, *_) = getattr(picture, "tag_v2", {}).get(BITS_PER_SAMPLE_TAG) or (SIXTEEN,)
    return int(depth) if 8 < depth < SIXTEEN else SIXTEEN
