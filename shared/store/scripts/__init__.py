"""The Lua scripts, one file each: what must happen in one step or not at all."""

from functools import cache
from importlib.resources import files
from typing import Any

from shoal.shared.redis.connection import RedisClient


@cache
def source_of(name: str) -> str:
    """Return the text of the script ``name``."""
    return (files(__name__) / f"{name}.lua").read_text(encoding="utf-8")


def run(client: RedisClient, name: str, keys: list[str], *arguments: Any) -> Any:
    """Run the script ``name`` and return its reply as Redis gives it.

    Raises:
        StoreUnavailableError: Redis refuses for now, as where it has no memory left.
    """
    return client.register_script(source_of(name))(keys=keys, args=list(arguments))
