"""A decoder with the fault that a file's name asks for; the tests of isolation run it."""

import os
import signal

from shoal.shared.images.files import ImageLimits, StrPath
from shoal.worker.images.loading import load_packed

damage: list[StrPath] = []


def load(path: StrPath, image_size: int, limits: ImageLimits) -> bytes:
    """Load an image, unless its name is that of a fault."""
    match os.path.basename(path):  # noqa: PTH119  a path, or a file that was read
        case "poisonous.png":
            damage.append(path)
        case _ if damage:
            os.kill(os.getpid(), signal.SIGSEGV)
        case "deadly.png":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exiting.png":
            os._exit(3)
        case "endless.png":
            signal.pause()
        case "hungry.png":
            bytearray(2**40)
        case "talkative.png":
            os.write(1, b"\0\0\0\2{}" * 100)
            print("a warning on stdout", flush=True)
        case "pid.png":
            return os.getpid().to_bytes(12) + b"\0"
    return load_packed(path, image_size, limits)
