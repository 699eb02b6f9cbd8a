"""What the answers of a bucket mean: a lost shard, or a refusal and what helps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from shoal.shared.errors import SettingsError, ShardsUnavailableError, ShoalError
from shoal.shared.shards.place import Shards, describe_lost

# obstore has no types for these; its messages quote status and body of the server's answer.
STATUS = re.compile(r"status code: (\d{3})")
CODE = re.compile(r"<Code>(\w+)</Code>")
NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.I)
# Where the machines of a cloud ask for credentials if no variable has any.
NO_CREDENTIALS = re.compile(r"169\.254\.|latest/api/token|metadata\.google|token request", re.I)
ADDRESS = re.compile(r"https?://\S+")  # may have a signature in it
# What a server also says in passing: too slow, at once with another, too early, too many.
PASSING = frozenset({408, 409, 425, 429})
BEYOND_THE_END = 416
DENIED = (401, 403)
NOT_IMPLEMENTED = 501
REDIRECT = "redirect without LOCATION"  # S3's answer in another region
LONGEST_DETAIL = 200
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (files in ~/.aws are not read)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS to the file of a service account's key",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


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
                f"{self._setting} cannot be used ({_shorten(str(error))}): set {self._credentials}."
            ) from None

    def _explain(self, name: str, error: Exception) -> ShoalError:
        text = str(error)
        found = STATUS.search(text)
        status = int(found[1]) if found else 0
        is_lost = isinstance(error, FileNotFoundError) or status == BEYOND_THE_END
        if is_lost and not NO_BUCKET.search(text):
            return describe_lost(self.place, name)
        return ShardsUnavailableError(
            f"{self.place.url} cannot be used: {self._find_remedy(text, status)} Waiting work then"
            " continues by itself."
        )

    def _find_remedy(self, text: str, status: int) -> str:
        """Return what is wrong with the bucket, and what helps."""
        if NO_BUCKET.search(text):
            return "there is no such bucket. Create it, or correct SHOAL_SHARDS_URL."
        if NO_CREDENTIALS.search(text):
            return f"no credentials were found. Set {self._credentials}."
        why = _shorten(text)
        if status in DENIED:
            return (
                f"it refuses these credentials ({why}). Correct them, or allow them to list, read,"
                " write and delete objects there."
            )
        is_final = 400 <= status < 500 and status not in PASSING
        if is_final or status == NOT_IMPLEMENTED or REDIRECT in text:
            return f"it refuses what it is asked ({why}). Correct its region or endpoint."
        return f"it does not answer for now ({why})."


def _shorten(text: str) -> str:
    """Return the reason that a message of obstore ends in, without addresses."""
    if code := CODE.search(text):
        return code[1]
    line = text.partition("\n")[0].rpartition(" - ")[2]
    return ADDRESS.sub("…", line).removesuffix(": ")[:LONGEST_DETAIL].strip()
