"""Where shards are kept: what the settings say, files of the embedded server, or Redis."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from shoal.shared.errors import SettingsError
from shoal.shared.redis.commands import RedisClient
from shoal.shared.server.embedded import home_of
from shoal.shared.settings import Settings
from shoal.shared.shards import FileShards, RedisShards, Shards

# The directory of shards in that of the embedded server.
SHARDS = "shards"


def find_place(settings: Settings, client: RedisClient, *, is_embedded: bool) -> Shards:
    """Find where shards are kept; nothing is read or written yet.

    Args:
        settings: ``shards_url`` counts first.
        client: Of the Redis of the jobs, which keeps them where nothing else does.
        is_embedded: Whether that is the embedded server; its shards are files beside its data.

    Raises:
        SettingsError: SHOAL_SHARDS_URL cannot be used.
    """
    if settings.shards_url:
        return open_place(settings.shards_url)
    if is_embedded:
        return FileShards(home_of(settings) / SHARDS)
    return RedisShards(client)


def open_place(url: str) -> Shards:
    """Open the place at ``url``.

    Raises:
        SettingsError: The URL is of no kind that is known.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    path = Path(unquote(parts.path))
    is_plain = not (parts.query or parts.fragment) and parts.netloc in {"", "localhost"}
    if parts.scheme != "file" or not is_plain or not path.is_absolute():
        raise SettingsError("SHOAL_SHARDS_URL: Expected file:///DIRECTORY.")
    return FileShards(path)
