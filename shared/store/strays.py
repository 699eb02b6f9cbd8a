"""Strays: shards outside Redis that no job counts any more, or that none has ever counted."""

import secrets
from collections.abc import Iterable

from shoal.shared.errors import ShardLostError, ShardsUnavailableError
from shoal.shared.redis.connection import RedisClient
from shoal.shared.shards import Shards
from shoal.shared.shards.place import read_id
from shoal.shared.store import keys
from shoal.shared.store.keys import JobKeys
from shoal.shared.store.shards import Kind, is_in_redis
from shoal.shared.tasks import KNOWN

# A process may be about to commit what it wrote since.
UNCOUNTED_SECONDS = 3600.0
# A job that this Redis does not know may be about to be registered, or put back from a backup.
UNKNOWN_SECONDS = 7 * 86_400.0
# Jobs looked at in one call, so that a worker's main process is not kept for long.
MOST_JOBS = 16
# Names all that may delete what they do not know.
OWNERS = "owners"


class Strays:
    """Deletes the shards of one place that do not count any more.

    Shards in Redis expire by themselves.
    """

    def __init__(self, client: RedisClient, place: Shards) -> None:
        self.client = client
        self.place = place

    def note_owner(self) -> None:
        """Note in the place that this Redis has jobs there."""
        if not is_in_redis(self.place):
            self.place.create(f"{OWNERS}/{self._owner()}", b"")

    def delete_due(self, now: float) -> bool:
        """Delete what has expired of some of the jobs of which something has, by now.

        Args:
            now: Time of the server's clock, in seconds since 1970.

        Returns:
            Whether there were any.
        """
        return any(self._delete_due(keys.stored(protocol), now) for protocol in KNOWN)

    def _delete_due(self, stored: str, now: float) -> bool:
        found = [raw.decode() for raw in self.client.zrangebyscore(stored, 0, now)]
        # Those of this place alone: in another one, or in a directory that is not mounted, nothing
        # of them is found, and it would stay where it is.
        place_id = self._read_id() if found else ""
        due = [noted for noted in found if place_id and noted.startswith(f"{place_id}/")]
        for noted in due[:MOST_JOBS]:
            self._delete_of_job(stored, noted, now)
        return bool(due)

    def _read_id(self) -> str:
        """Return the id of the place; "" if it has none, or cannot be told at present."""
        if is_in_redis(self.place):
            return ""
        try:
            return read_id(self.place)
        except (ShardLostError, ShardsUnavailableError):
            return ""

    def _delete_of_job(self, stored: str, noted: str, now: float) -> None:
        job_id = noted.rpartition("/")[2]
        job = JobKeys(job_id)
        # First what there is, then what counts: what is committed in between is not among it.
        found = list(self.place.names(f"jobs/{job_id}"))
        if not self.client.hexists(job.job, "state"):
            self.place.delete(found)
            self.client.zrem(stored, noted)
            return
        names = (self.client.hgetall(job.shards(kind)).values() for kind in Kind)
        counted = {f"jobs/{job_id}/{name.decode()}" for of_kind in names for name in of_kind}
        uncounted = set(found) - counted
        old = _list_old(uncounted, now - UNCOUNTED_SECONDS)
        self.place.delete(old)
        left = (self.client.pttl(key) for key in (job.shards(Kind.FEATURES), job.job))
        waiting = [milliseconds / 1000 + 1 for milliseconds in left if milliseconds > 0]
        if not waiting:  # it was retried, and will end again
            self.client.zrem(stored, noted)
            return
        if len(old) < len(uncounted):
            waiting.append(UNCOUNTED_SECONDS)
        self.client.zadd(stored, {noted: now + min(waiting)})

    def delete_unknown(self, now: float) -> None:
        """Delete the shards of jobs that are unknown, as after a Redis has lost its data.

        Not in a place that another Redis uses, or that one used: those jobs may be its own.
        """
        if is_in_redis(self.place):
            return
        if list(self.place.names(OWNERS)) != [f"{OWNERS}/{self._owner()}"]:
            return
        for folder in self.place.folders("jobs"):
            if self.client.hexists(JobKeys(folder.rpartition("/")[2]).job, "state"):
                continue
            names = list(self.place.names(folder))
            if len(_list_old(names, now - UNKNOWN_SECONDS)) == len(names):
                self.place.delete(names)

    def _owner(self) -> str:
        self.client.set(keys.OWNER, secrets.token_hex(8), nx=True)
        return (self.client.get(keys.OWNER) or b"none").decode()


def _list_old(names: Iterable[str], before: float) -> list[str]:
    """List the shards that were begun before a time; a name that is not ours counts as new."""
    return [name for name in names if _read_seconds(name) < before]


def _read_seconds(name: str) -> float:
    """Read from the token in a shard's name when it was begun, in seconds since 1970."""
    try:
        return int(name.split("-")[-2][:8], 16)
    except (IndexError, ValueError):
        return float("inf")
