"""What a bucket's refusal says, whoever asked: for shards or for images."""

import re
from dataclasses import dataclass
from typing import Self

# obstore has no types for these; its messages quote status and body of the server's answer.
STATUS = re.compile(r"status code: (\d{3})")
CODE = re.compile(r"<Code>(\w+)</Code>")
NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.I)
# Where the machines of a cloud ask for credentials if no variable has any.
NO_CREDENTIALS = re.compile(r"169\.254\.|latest/api/token|metadata\.google|token request", re.I)
# What hyper and rustls say within the details.
NO_HOST = re.compile(r"failed to lookup address|dns error", re.I)
NO_TRUST = re.compile(r"InvalidCertificate|invalid peer certificate", re.I)
ADDRESS = re.compile(r"https?://\S+")  # may have a signature in it
# What a server also says in passing: too slow, at once with another, too early, too many.
PASSING = frozenset({408, 409, 425, 429})
BEYOND_THE_END = 416
DENIED = (401, 403)
NOT_IMPLEMENTED = 501
REDIRECT = "redirect without LOCATION"  # S3's answer in another region
# What is wrong with who asks, and not with what is asked for.
BAD_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthenticationFailed"}
)
EXPIRED = frozenset({"ExpiredToken", "TokenRefreshRequired"})
OTHER_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed"})
OTHER_TIME = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
LONGEST_DETAIL = 200
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (files in ~/.aws are not read)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS to the file of a service account's key",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
# The schemes of their URLs.
BUCKETS = tuple(CREDENTIALS)


@dataclass(frozen=True)
class Reply:
    """What an exception of obstore says.

    Attributes:
        status: Of the server's answer; 0 if there was none.
        code: The server's own word for what is wrong; "" if it gave none.
        text: All of the message, which may have addresses with signatures in it.
        is_missing: Whether there is no such object, or it ends before what was asked for.
    """

    status: int
    code: str
    text: str
    is_missing: bool

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Read an exception."""
        text = str(error)
        found, code = STATUS.search(text), CODE.search(text)
        status = int(found[1]) if found else 0
        is_missing = isinstance(error, FileNotFoundError) or status == BEYOND_THE_END
        return cls(status, code[1] if code else "", text, is_missing)

    @property
    def has_no_bucket(self) -> bool:
        """Whether there is no such bucket."""
        return bool(NO_BUCKET.search(self.text))

    @property
    def has_no_credentials(self) -> bool:
        """Whether no variable has credentials, and the machine has none of its own."""
        return bool(NO_CREDENTIALS.search(self.text))

    @property
    def has_no_host(self) -> bool:
        """Whether the name of the server is not known."""
        return bool(NO_HOST.search(self.text))

    @property
    def has_no_trust(self) -> bool:
        """Whether nobody vouches for the certificate of the server."""
        return bool(NO_TRUST.search(self.text))

    @property
    def is_denied(self) -> bool:
        """Whether these credentials may not do what they ask for."""
        return self.status in DENIED

    @property
    def is_final(self) -> bool:
        """Whether the same request would be answered in the same way later."""
        is_wrong = 400 <= self.status < 500 and self.status not in PASSING
        return is_wrong or self.status == NOT_IMPLEMENTED or REDIRECT in self.text

    @property
    def why(self) -> str:
        """The reason that the message ends in, without addresses."""
        return self.code or shorten(self.text)


def shorten(text: str) -> str:
    """Return the reason that a message of obstore ends in, without addresses."""
    line = text.partition("\n")[0].rpartition(" - ")[2]
    return ADDRESS.sub("…", line).removesuffix(": ")[:LONGEST_DETAIL].strip()
