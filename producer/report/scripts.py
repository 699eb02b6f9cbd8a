"""The map's JavaScript in a report: the modules that the page serves, joined to one."""

import re
from functools import cache
from pathlib import Path

from shoal.producer.components import STATIC

_OWN = Path(__file__).parent / "templates" / "map_start.js"
# Each after those that it imports.
_MODULES = ("camera", "points", "painter", "tiles", "card", "gestures", "legend", "map")
_IMPORT = re.compile(r"^import .*\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@cache
def map_script() -> str:
    """Join the modules of the map, without what they import of each other: one file has no others.

    Their names must differ.
    """
    files = [*(STATIC / "map" / f"{name}.js" for name in _MODULES), _OWN]
    joined = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return _EXPORT.sub("", _IMPORT.sub("", joined))
