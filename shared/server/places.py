"""Where shards are kept: what the settings say, files of the embedded server, or Redis."""

from socket import gethostname

from shoal.shared.errors import ShardLostError, UsageError
from shoal.shared.redis.commands import RedisClient
from shoal.shared.server.embedded import home_of
from shoal.shared.server.locks import make_private
from shoal.shared.settings import Settings
from shoal.shared.shards import FileShards, RedisShards, Shards, find_id
from shoal.shared.shards.place import read_id
from shoal.shared.shards.urls import open_place
from shoal.shared.store import Ledger

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


def identify(place: Shards) -> str:
    """Return the id of a place, as a job notes it; "" stands for the Redis of the jobs.

    Raises:
        StoreUnavailableError: The place refuses for now.
    """
    return "" if isinstance(place, RedisShards) else find_id(place)


def check_place(client: RedisClient, job_id: str, place: Shards | None) -> None:
    """Check that the shards of a job are kept in ``place``; None is its Redis.

    Nothing is written: a directory that is not mounted here must not become a place of its own.

    Raises:
        UsageError: They are kept elsewhere; the message says where.
        StoreUnavailableError: Redis or the place refuses for now, or the directory has no shards.
    """
    place = place or RedisShards(client)
    noted, where = Ledger(client, job_id, 0).place()
    if not _is_noted(noted, place):
        raise UsageError(_describe_other(noted, where, place))


def _describe_other(noted: str, where: str, place: Shards) -> str:
    """Say that a job, which has noted the id of its place and its URL, has another place."""
    start = f"The job keeps its shards in {where}, and {gethostname()} has"
    if noted and where == place.url:
        return (
            f"{start} another directory or bucket there, which is not the same place: mount the"
            " right one, or, if its content is gone, submit the folder of the job again."
        )
    remedy = (
        "mount that directory there, or set SHOAL_SHARDS_URL to the same on all machines"
        if noted
        else "unset SHOAL_SHARDS_URL there, or, if it is a job of an earlier version of Shoal,"
        " submit its folder again"
    )
    return f"{start} {place.url}, which is not the same place: {remedy}."


def _is_noted(noted: str, place: Shards) -> bool:
    """Return whether a job that has ``noted`` this id, "" for Redis, keeps its shards there."""
    if isinstance(place, RedisShards) or not noted:
        return isinstance(place, RedisShards) and not noted
    try:
        return read_id(place) == noted
    except ShardLostError:  # it has no id
        return False
