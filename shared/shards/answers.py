"""What the answers of a bucket mean: a lost shard, or a refusal and what helps."""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from shoal.shared.buckets.replies import CREDENTIALS, Reply, shorten
from shoal.shared.errors import SettingsError, ShardsUnavailableError, ShoalError
from shoal.shared.shards.place import Shards, describe_lost


class Answers:
    """Explains what the bucket of a place answers."""

    def __init__(self, place: Shards) -> None:
        self.place = place
        self._setting = f"SHOAL_SHARDS_URL={place.url}"
        self._credentials = CREDENTIALS[place.url.partition(":")[0]]

    @contextmanager
    def explained(self, name: str) -> Iterator[None]:
        """Raise errors of Shoal's own in place of obstore's, about the shard ``name``.

        Raises:
            ShardLostError: There is no such shard, or it is shorter than what was asked for.
            ShardsUnavailableError: The bucket refuses; the message says what helps.
        """
        try:
            yield
        # Without the cause: its text can have the signature of a URL in it.
        except (FileNotFoundError, BaseError) as error:
            raise self._explain(name, error) from None

    @contextmanager
    def explained_settings(self) -> Iterator[None]:
        """Raise SettingsError if no connection can be set up; nothing is sent."""
        try:
            yield
        except (BaseError, ValueError) as error:
            raise SettingsError(
                f"{self._setting} cannot be used ({shorten(str(error))}): set {self._credentials}."
            ) from None

    def _explain(self, name: str, error: Exception) -> ShoalError:
        reply = Reply.of(error)
        if reply.is_missing and not reply.has_no_bucket:
            return describe_lost(self.place, name)
        return ShardsUnavailableError(
            f"{self.place.url} cannot be used: {self._find_remedy(reply)} Waiting work then"
            " continues by itself."
        )

    def _find_remedy(self, reply: Reply) -> str:
        """Return what is wrong with the bucket, and what helps."""
        if reply.has_no_bucket:
            return "there is no such bucket. Create it, or correct SHOAL_SHARDS_URL."
        if reply.has_no_credentials:
            return f"no credentials were found. Set {self._credentials}."
        if reply.is_denied:
            return (
                f"it refuses these credentials ({reply.why}). Correct them, or allow them to list,"
                " read, write and delete objects there."
            )
        if reply.is_final:
            return f"it refuses what it is asked ({reply.why}). Correct its region or endpoint."
        return f"it does not answer for now ({reply.why})."
