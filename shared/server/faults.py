"""What is said where the embedded server does not start, cannot be reached, or has no room."""

import shutil
from pathlib import Path

from shoal.shared.server.locks import describe_holder, is_locked
from shoal.shared.server.valkey import data_path, socket_path

# An empty server takes less than this.
SCARCE_BYTES = 2**25


def describe_failure(home: Path) -> str:
    """Describe that a server does not start, and has ended."""
    if is_locked(home / "supervisor.lock"):  # but another one has not
        return describe_unreachable(home)
    fault = f"The embedded server does not start: see {home / 'server.log'}."
    if shutil.disk_usage(home).free < SCARCE_BYTES:
        return f"{fault} {describe_room(home)}."
    return (
        f"{fault} If its data cannot be read any more, delete {data_path(home)} to begin anew,"
        " without the jobs in it."
    )


def describe_unreachable(home: Path) -> str:
    """Describe that there is a server that cannot be reached: its data must stay as they are."""
    return (
        f"A server with the data in {home} is running, but not reachable at {socket_path(home)}:"
        " its socket was removed or is not visible here, or it is stopped. It ends with the"
        " commands that use it, such as `shoal worker`: end them, or set SHOAL_HOME to another"
        f" directory. It was started by {describe_holder(home / 'supervisor.lock')}."
    )


def describe_room(home: Path) -> str:
    """Describe how much room the disk of the server has, with the remedy."""
    free = shutil.disk_usage(home).free
    return (
        f"The disk of {home} has {free / 2**20:,.0f} MB left: make room there, or set SHOAL_HOME"
        " to a directory on another disk"
    )
