"""ICC profiles of a given gamut, written as the few tags that they are."""

import struct

# Display P3's red, green and blue, in XYZ adapted to D50.
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
WHITE = (0.9642, 1.0, 0.8249)
GAMMA = 2.2


def make_profile(
    primaries: tuple[tuple[float, float, float], ...], space: bytes = b"RGB "
) -> bytes:
    """Return a profile of version 2 with these primaries and a gamma of 2.2."""
    curve = b"curv" + struct.pack(">IIHH", 0, 1, round(GAMMA * 256), 0)
    bodies = {b"wtpt": _xyz(WHITE)}
    for channel, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        bodies |= {channel + b"XYZ": _xyz(primary), channel + b"TRC": curve}
    table, data = struct.pack(">I", len(bodies)), b""
    start = 128 + 4 + 12 * len(bodies)
    for name, body in bodies.items():
        table += name + struct.pack(">II", start + len(data), len(body))
        data += body
    header = struct.pack(">I4xI4s4s4s", start + len(data), 0x02400000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _fixed(WHITE)
    return header.ljust(128, b"\0") + table + data


def _xyz(numbers: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(numbers)


def _fixed(numbers: tuple[float, float, float]) -> bytes:
    return struct.pack(">3i", *(round(number * 65536) for number in numbers))
