"""The Lua scripts, one file each: what must happen in one step or not at all."""

from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

from shoal.shared.errors import StoreFullError, StoreUnavailableError
from shoal.shared.redis.connection import RedisClient

# What a process staged that died before its script ran is gone after this time.
STAGED_SECONDS = 600


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


def run_with(
    client: RedisClient, staged: tuple[str, bytes], name: str, keys: list[str], *arguments: Any
) -> Any:
    """Set a key for a while and run a script that takes it over, in one round trip.

    Lua copies each argument of a script twice and hashes it byte by byte: for the features of a
    batch, that took the server longer than storing them.

    Args:
        client: Of one Redis.
        staged: The key, and what to store there.
        name: Of the script.
        keys: Of the script; the staged one is among them.
        arguments: Of the script.

    Raises:
        StoreUnavailableError: Redis refuses for now, as where it has no memory left.
    """
    script = client.register_script(source_of(name))
    with client.pipeline(transaction=False) as pipe:
        pipe.set(*staged, ex=STAGED_SECONDS)
        pipe.evalsha(script.sha, len(keys), *keys, *arguments)
        try:
            try:
                return pipe.execute()[-1]
            except NoScriptError:
                return script(keys=keys, args=list(arguments))
        except StoreFullError:
            # If this is what filled it, it must not stay there.
            with suppress(StoreUnavailableError):
                client.unlink(staged[0])
            raise
