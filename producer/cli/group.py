"""What all commands share: their order in the help, their connection, their exit codes."""

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from shoal.shared.encoding import restart_in_utf8
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.streams import take_any_name

if TYPE_CHECKING:
    from shoal.producer.client import Client


# The file descriptor of standard output, whatever ``sys.stdout`` is.
STDOUT = 1


class Commands(click.Group):
    """Commands in the order of their use; errors become a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """List the commands in the order in which they were added."""
        return list(self.commands)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; file names that are not UTF-8 are printed byte for byte."""
        restart_in_utf8()
        _open_closed_streams()
        take_any_name(sys.stdout)  # standard error does so by itself
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit with 2 after wrong usage, and with 1 after any other error."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            _exit_with(error, 2)
        except ShoalError as error:
            _exit_with(error, 1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click knows what to do
            # The interpreter must not try to print the rest again when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
            _exit_with(error, 1)
        except Exception as error:
            _exit_with(_explain(error), 1)


def _open_closed_streams() -> None:
    """Open standard streams that a shell closed: another file would get their descriptors."""
    for number, (name, mode) in enumerate([("stdin", "r"), ("stdout", "w"), ("stderr", "w")]):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor, this one
            setattr(sys, name, os.fdopen(number, mode))


def _explain(error: Exception) -> ShoalError:
    """Explain an error of Redis; raise any other again."""
    from redis import RedisError  # not imported for --help

    if isinstance(error, RedisError):
        return ShoalError(f"Redis refused a command: {error}")
    raise error


def connect_client() -> "Client":
    """Connect to the Redis of SHOAL_REDIS_URL or the embedded server; start no workers.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    from shoal.producer.client import Client  # imports redis-py, as above

    return Client(start_workers=False).check_connection()


def _exit_with(error: Exception, code: int) -> None:
    """Print ``error`` and exit with ``code``."""
    click.echo(f"Error: {error}", err=True)
    raise SystemExit(code)
