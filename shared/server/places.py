"""Where shards are kept: what the settings say, files of the embedded server, or Redis."""

from shoal.shared.redis.commands import RedisClient
from shoal.shared.server.embedded import home_of
from shoal.shared.server.locks import make_private
from shoal.shared.settings import Settings
from shoal.shared.shards import FileShards, RedisShards, Shards
from shoal.shared.shards.urls import open_place

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


def find_cache_place(settings: Settings) -> Shards:
    """Find where workers keep rows for later jobs: with the shards, but never in Redis.

    Where Redis keeps the shards, rows are files of each machine: Redis holds what must be small.

    Raises:
        SettingsError: SHOAL_SHARDS_URL or SHOAL_HOME cannot be used.
        ConnectionLostError: SHOAL_HOME belongs to another user.
    """
    if settings.shards_url:
        return open_place(settings.shards_url)
    return FileShards(make_private(home_of(settings)) / SHARDS)
