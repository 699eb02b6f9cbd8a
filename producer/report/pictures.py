"""The pictures of a report: images embedded in it, as long as there is room."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from shoal.shared.encoding import escape_name
from shoal.shared.text import show_copies

# Size of all pictures together: images beyond it are shown by name only.
PICTURES_BYTES = 2_400_000


@dataclass(frozen=True)
class Picture:
    """An image with its path; ``source`` is a data URL, empty if there is no picture.

    ``copies`` says how many copies of it there are beside it, as in "+4 copies"; empty if none.
    ``note`` is a line below the name; may be empty.
    """

    path: str
    source: str
    copies: str = ""
    note: str = ""


class PictureBudget:
    """Embeds pictures in a report until ``room_bytes`` are used up."""

    def __init__(self, pictures: Mapping[str, bytes], room_bytes: int = PICTURES_BYTES) -> None:
        self.pictures = pictures
        self.room_bytes = room_bytes

    def take(self, path: str, copies: int = 0, note: str = "") -> Picture:
        """Return the picture of an image; without a source if there is none or no room."""
        jpeg, source = self.pictures.get(path, b""), ""
        if jpeg and len(jpeg) <= self.room_bytes:
            self.room_bytes -= len(jpeg)
            source = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
        return Picture(escape_name(path), source, show_copies(copies), note)
