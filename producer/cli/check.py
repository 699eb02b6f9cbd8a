"""``shoal worker --check``: whether a worker of this host is alive, for health checks."""

from socket import gethostname

from shoal.shared.errors import ShoalError
from shoal.shared.redis.connection import GREETING_SECONDS, connect
from shoal.shared.server.embedded import server_url
from shoal.shared.settings import read_settings
from shoal.shared.store import Registry


def find_worker() -> str:
    """Return the name of a worker of this host that Redis has heard of lately.

    It asks Redis alone: a message to the worker would wait while its processes compute.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse.
        ShoalError: Redis does not answer, or has not heard of such a worker for so long that
            others get its work.
    """
    settings = read_settings()
    url, host = settings.redis_url or server_url(settings), gethostname()
    with connect(url, retries=1, timeout_seconds=GREETING_SECONDS) as client:
        names = Registry(client).workers(settings.lost_seconds)
    for name in names:
        if name.rpartition("@")[2] == host:
            return name
    raise ShoalError(
        f"No worker on {host} has given a sign of life for {settings.lost_seconds:g} seconds:"
        " start one, or see its log."
    )
