"""What all commands share: their order in the help, their connection, their exit codes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from shoal.producer.cli.terminal import drop_output, guard_streams, print_note
from shoal.producer.cli.words import in_commands
from shoal.producer.signals import interruptible
from shoal.shared.encoding import restart_in_utf8
from shoal.shared.errors import ShoalError, UsageError

if TYPE_CHECKING:
    from shoal.producer.client import Client


class Command(click.Command):
    """A command whose help among the others is its first sentence, however long."""

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002  click's signature
        """Return the whole sentence: the list breaks its line, where click cuts it."""
        return super().get_short_help_str(sys.maxsize)


class Commands(click.Group):
    """Commands in the order of their use; errors become a message and an exit code."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """List the commands in the order in which they were added."""
        return list(self.commands)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line."""
        restart_in_utf8()
        _open_closed_streams()
        guard_streams()
        return super().main(*args, **options)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the command line, which may end in the help."""
        with _unread_is_no_error():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Exit with 2 after wrong usage, with 130 if interrupted, and with 1 after any other error.
        """
        try:
            with _unread_is_no_error(), interruptible():
                value = super().invoke(ctx)
                sys.stdout.flush()  # what fails here is told in a line, too
                return value
        except KeyboardInterrupt as error:
            _end(str(error) or "Interrupted.", 130)
        except UsageError as error:
            _exit_with(error, 2)
        except ShoalError as error:
            _exit_with(error, 1)
        except OSError as error:
            drop_output()
            _exit_with(error, 1)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise  # the end of `shoal status --help` among them
        except Exception as error:
            _exit_with(_explain(error), 1)


@contextmanager
def _unread_is_no_error() -> Iterator[None]:
    """End quietly if nobody reads on, as in `shoal jobs | head -1`."""
    try:
        yield
    except BrokenPipeError:
        drop_output()
        raise SystemExit(0) from None


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


def connect_client(*, start_workers: bool = False) -> "Client":
    """Connect to the Redis of SHOAL_REDIS_URL or the embedded server.

    Args:
        start_workers: Whether to start workers for the embedded server once there is work.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    from shoal.producer.client import Client  # imports redis-py, as above

    return Client(start_workers=start_workers).check_connection()


def _exit_with(error: Exception, code: int) -> NoReturn:
    """Print ``error`` and exit with ``code``."""
    _end(f"Error: {error}", code)


def _end(line: str, code: int) -> NoReturn:
    print_note(in_commands(line))
    # `python -m shoal` would end by SIGINT, whatever the code, if an interrupt came while a text
    # was run, as it is when a data class is made. Running another makes Python forget that.
    exec("")  # noqa: S102  nothing
    raise SystemExit(code)
