"""The group of all commands: how they are listed, connected to Redis, and end in errors."""

import sys
from typing import TYPE_CHECKING, Any

import click

from shared.errors import ConnectionLostError, ShoalError, UsageError

if TYPE_CHECKING:
    from producer.client import Client


class Commands(click.Group):
    """Commands in the order of their use, whose errors end in a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the commands as they were declared."""
        return list(self.commands)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; file names that are not UTF-8 are printed as they are."""
        # Standard error needs no such care: what it cannot print, it escapes.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="surrogateescape")
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit with 2 for wrong use, and with 1 for what failed."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            end(error, 2)
        except ShoalError as error:
            end(error, 1)
        except Exception as error:
            from shared.connection import is_lost  # loads redis-py, which --help does without

            if not is_lost(error):
                raise
            end(ConnectionLostError(f"Redis does not answer any more: {error}"), 1)


def connect_client() -> "Client":
    """Return a client of the Redis that is set, or of the embedded server; it starts no workers.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    from producer.client import Client  # loads redis-py, as below

    return Client(employs=False).check_connection()


def end(error: Exception, code: int) -> None:
    """Print ``error`` and exit with ``code``."""
    click.echo(f"Error: {error}", err=True)
    raise SystemExit(code)
