"""Whether the place of shards can be used from this machine, tried before the pool forks."""

import secrets
import subprocess
import sys

from shoal.shared.errors import ShardsUnavailableError, ShoalError
from shoal.shared.shards import Shards
from shoal.shared.shards.place import ID_NAME
from shoal.shared.shards.urls import open_place

# Each of its four requests is tried again for a while.
CHECK_SECONDS = 90.0


def try_place(url: str) -> None:
    """Try all that a worker does in the place at ``url``.

    Raises:
        SettingsError: The URL cannot be used here.
        ShardsUnavailableError: The place refuses; the message says what helps.
    """
    place = open_place(url)
    if place.maps_files:
        _use(place)
        return
    # A process that has used a bucket must not fork, as this one is about to.
    command = [sys.executable, "-P", "-m", "shoal.worker.runtime.place_trial", url]
    try:
        tried = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=CHECK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ShardsUnavailableError(f"{place.url} does not answer.") from None
    if tried.returncode:
        raise ShardsUnavailableError(tried.stdout.strip() or f"{place.url} cannot be used.")


def _use(place: Shards) -> None:
    """Write, list, read and delete a shard.

    Raises:
        ShardsUnavailableError: The place refuses.
    """
    id_file = place.path(ID_NAME)
    # What has no id yet, or is not mounted here, is told once a job names its place.
    if id_file and not id_file.exists():
        return
    name = f"checks/{secrets.token_hex(8)}"
    place.write(name, [b"can be written"])
    try:
        place.read(name)
        next(place.names("checks"), None)
    finally:
        place.delete([name])


def main() -> int:
    """Try the place of the URL that is given; print why it cannot be used."""
    try:
        _use(open_place(sys.argv[1]))
    except ShoalError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
