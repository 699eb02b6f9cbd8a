"""What the refusals of a bucket mean: about one image, or about all of them, and what helps."""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from shoal.shared.buckets.replies import (
    BAD_CREDENTIALS,
    CREDENTIALS,
    EXPIRED,
    OTHER_REGION,
    OTHER_TIME,
    REDIRECT,
    Reply,
    shorten,
)
from shoal.shared.errors import (
    ShoalError,
    SourceError,
    SourceUnavailableError,
    UnreadableImageError,
)
from shoal.shared.findings import FailureReason
from shoal.shared.redis.client import GOES_ON

REGION = {"s3": "Set AWS_REGION to the region of the bucket."}
PUBLIC = {
    "s3": " For a bucket that anybody may read, set AWS_SKIP_SIGNATURE=true.",
    "gs": " For a bucket that anybody may read, set GOOGLE_SKIP_SIGNATURE=true.",
    "az": " For a container that anybody may read, set AZURE_SKIP_SIGNATURE=true.",
}
# Of a worker, the message says on which machine; what is said here is true of any.
EVERYWHERE = "on every worker and where jobs are submitted"


@contextmanager
def explained(url: str, what: str = "") -> Iterator[None]:
    """Raise errors of Shoal's own in place of obstore's.

    Args:
        url: The bucket.
        what: The object that is asked for; "" if all are listed.

    Raises:
        UnreadableImageError: There is no such object, or it may not be read.
        SourceError: Nothing can be read in the bucket; the message says what helps.
        SourceUnavailableError: Nothing can be read for now.
    """
    try:
        yield
    # Without the cause: its text can have the signature of a URL in it.
    except (FileNotFoundError, PermissionError, BaseError) as error:
        raise _explain(url, what, Reply.of(error)) from None
    except ValueError as error:  # a key that obstore takes for a path
        raise UnreadableImageError(FailureReason.UNSUPPORTED, _describe_key(error)) from None


@contextmanager
def explained_settings(url: str) -> Iterator[None]:
    """Raise SourceError if no connection can be set up; nothing is sent."""
    scheme = url.partition(":")[0]
    try:
        yield
    except (BaseError, ValueError) as error:
        raise SourceError(
            f"{url} cannot be read ({shorten(str(error))}): set {CREDENTIALS[scheme]},"
            f" {EVERYWHERE}.{PUBLIC[scheme]}"
        ) from None


def _explain(url: str, what: str, reply: Reply) -> ShoalError:
    if "Encountered object with invalid path" in reply.text:
        return SourceError(_describe_listing(url, reply))
    if what and reply.is_missing and not reply.has_no_bucket:
        return UnreadableImageError(FailureReason.MISSING, "there is no such object")
    if problem := _find_problem(url, reply):
        return SourceError(f"{url} cannot be read: {problem}")
    if reply.code in EXPIRED | OTHER_TIME:
        return SourceUnavailableError(
            f"{url} cannot be read for now: {_find_hope(reply)} {GOES_ON}"
        )
    if reply.is_denied and what:
        detail = f"the bucket refuses it ({reply.why})"
        return UnreadableImageError(FailureReason.NO_PERMISSION, detail)
    if reply.is_denied:
        return SourceError(
            f"{url} cannot be listed with these credentials ({reply.why}). Allow them to list it,"
            " or submit a list: a text file with a URL in each line."
        )
    if reply.is_final:
        return SourceError(f"{url} refuses what it is asked ({reply.why}): correct its endpoint.")
    return SourceUnavailableError(f"{url} cannot be read for now: {_find_hope(reply)} {GOES_ON}")


def _find_problem(url: str, reply: Reply) -> str:
    """Return what is wrong with the bucket as a whole, and what helps; "" if nothing is."""
    scheme = url.partition(":")[0]
    if reply.has_no_bucket:
        return "there is no such bucket. Correct its name, or the account."
    if reply.has_no_credentials:
        return (
            f"no credentials were found. Set {CREDENTIALS[scheme]}, {EVERYWHERE}.{PUBLIC[scheme]}"
        )
    if reply.code in BAD_CREDENTIALS:
        return (
            f"it refuses these credentials ({reply.why}). Set {CREDENTIALS[scheme]}, {EVERYWHERE}."
        )
    if reply.code in OTHER_REGION or REDIRECT in reply.text:
        return f"it is in another region. {REGION.get(scheme, 'Correct its endpoint.')}"
    if reply.has_no_trust:
        return "nobody that is trusted here vouches for its certificate. Set SSL_CERT_FILE."
    return ""


def _find_hope(reply: Reply) -> str:
    """Return what is in the way for now; work waits until it has passed."""
    if reply.code in EXPIRED:
        return "the credentials have expired. Renew them, and start the workers again."
    if reply.code in OTHER_TIME:
        return "the clock of this machine is wrong. Set it."
    if reply.has_no_host:
        return "the name of its server is not known (DNS)."
    return f"it does not answer ({reply.why})."


def _describe_key(error: Exception) -> str:
    return f"its key cannot be read: {str(error).partition(chr(10))[0][:200]}"


def _describe_listing(url: str, reply: Reply) -> str:
    name = reply.text.partition("Error parsing Path ")[2].partition(": ")[0]
    name = name or reply.text.partition('Path "')[2].partition('"')[0]
    return (
        f"{url} has an object with the key {name}, which has an empty part, a part of dots, or a"
        " control character, and cannot be listed. Rename it, or submit folders beside it."
    )
