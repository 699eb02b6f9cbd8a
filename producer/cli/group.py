"""The group of all commands: how they are listed, connected to Redis, and end in errors."""

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from shoal.shared.errors import ConnectionLostError, ShoalError, UsageError

if TYPE_CHECKING:
    from shoal.producer.client import Client


# Its file descriptor, whatever ``sys.stdout`` is.
STDOUT = 1


class Commands(click.Group):
    """Commands in the order of their use, whose errors end in a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the commands as they were declared."""
        return list(self.commands)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; file names that are not UTF-8 are printed as they are."""
        _open_closed_streams()
        # Standard error needs no such care: what it cannot print, it escapes.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="surrogateescape")
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit with 2 for wrong use, and with 1 for what failed."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            exit_with(error, 2)
        except ShoalError as error:
            exit_with(error, 1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click knows what to do
            # What could not be printed must not be tried again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
            exit_with(error, 1)
        except Exception as error:
            exit_with(_explain(error), 1)


def _open_closed_streams() -> None:
    """Let standard streams that a shell closed lead nowhere, and be no other file's number."""
    for number, (name, mode) in enumerate([("stdin", "r"), ("stdout", "w"), ("stderr", "w")]):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(number, mode))


def _explain(error: Exception) -> ShoalError:
    """Return what Redis has to do with ``error``; raise it if nothing."""
    from redis import RedisError  # --help does without

    from shoal.shared.connection import is_lost

    if is_lost(error):
        return ConnectionLostError(f"Redis does not answer any more: {error}")
    if isinstance(error, RedisError):
        return ShoalError(f"Redis refuses: {error}")
    raise error


def connect_client() -> "Client":
    """Return a client of the Redis that is set, or of the embedded server; it starts no workers.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    from shoal.producer.client import Client  # loads redis-py, as below

    return Client(start_workers=False).check_connection()


def exit_with(error: Exception, code: int) -> None:
    """Print ``error`` and exit with ``code``."""
    click.echo(f"Error: {error}", err=True)
    raise SystemExit(code)
