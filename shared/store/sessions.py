"""The sessions of the page that were ended before they expired."""

from math import ceil

from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import keys


class EndedSessions:
    """Sessions that were ended, kept until they would have expired; seconds since 1970."""

    def __init__(self, client: RedisClient) -> None:
        self.client = client

    def add(self, session: str, expires_at: float) -> None:
        """Note that a session has ended.

        Raises:
            StoreUnavailableError: Redis refuses for now.
        """
        with self.client.pipeline(transaction=True) as pipe:
            pipe.zadd(keys.SESSIONS, {session: expires_at})
            # The key expires with the last session: the time is set once, then only moved later.
            pipe.expireat(keys.SESSIONS, ceil(expires_at), nx=True)
            pipe.expireat(keys.SESSIONS, ceil(expires_at), gt=True)
            pipe.execute()

    def find(self, now: float) -> set[str]:
        """Return the ended sessions that would not have expired by ``now``."""
        return {raw.decode() for raw in self.client.zrangebyscore(keys.SESSIONS, now, "+inf")}
