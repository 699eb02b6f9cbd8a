"""The Lua scripts, one file each: what must happen in one step, or not at all."""

from functools import cache
from importlib.resources import files
from typing import Any

from shared.connection import Client
from shared.store.refusals import full_is_ours


@cache
def source_of(name: str) -> str:
    """Return the text of the script ``name``."""
    return (files(__name__) / f"{name}.lua").read_text(encoding="utf-8")


def run(client: Client, name: str, keys: list[str], *arguments: Any) -> Any:
    """Run the script ``name`` and return its reply as Redis gives it.

    Raises:
        StoreFullError: Redis has no memory left for what the script would write.
    """
    with full_is_ours():
        return client.register_script(source_of(name))(keys=keys, args=list(arguments))
