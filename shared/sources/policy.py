"""The policy of URLs: which may be read, and which name a secret."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from shoal.shared.buckets.replies import BUCKETS
from shoal.shared.errors import SourceError
from shoal.shared.settings import Settings
from shoal.shared.sources.paths import scheme_of

# What clouds call signatures and keys in the query of a URL, and what others call theirs.
SECRET = re.compile(
    r"[?&;#](([\w.-]*[_-])?(sig|signature|credentials?|token|secret|password|passwd|jwt|auth)"
    r"|access_?token|([\w.-]*[_-])?api[_-]?key|\w*accesskeyid|googleaccessid)=",
    re.I,
)
USER = re.compile(r"[a-z0-9+.-]+://[^/?#]*@", re.I)
# A part of dots leads out of what is allowed. Servers decode %2e and %2f, some take backslashes for
# slashes and pass over what follows a semicolon; Python's urlsplit passes over tabs and line feeds.
WAY_OUT = re.compile(r"[\x00-\x1f\x7f]|([/\\]|%2f|%5c)(\.|%2e){1,2}(?=[/\\?#;]|%2f|%5c|$)", re.I)
WEB = ("http", "https")


@dataclass(frozen=True)
class UrlPolicy:
    """Which URLs may be read.

    Attributes:
        prefixes: Of those URLs; empty if none may be, or all.
        allows_all: Whether all in buckets and on web servers may be.
    """

    prefixes: tuple[str, ...] = ()
    allows_all: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the policy that the settings give."""
        prefixes = settings.image_urls
        return cls(prefixes, allows_all=not prefixes and not settings.image_roots)

    def check(self, urls: Iterable[str]) -> None:
        """Check that URLs may be read.

        Raises:
            SourceError: One may not be, or has a secret in it, which the message does not repeat.
        """
        for url in urls:
            check_secrets(url)
            if _leads_out(url):
                raise SourceError(
                    f"{url} cannot be read: it has a part of dots, or a control character, by which"
                    " it could lead elsewhere. Write it without."
                )
            if not self.allows(url):
                raise SourceError(
                    f"{url} may not be read here: it begins with none of SHOAL_IMAGE_URLS"
                    f" ({' '.join(self.prefixes) or 'which is not set'})."
                )

    def allows(self, url: str) -> bool:
        """Return whether a URL may be read."""
        if _leads_out(url):
            return False
        # Of other schemes, packages of others connect, and ask no address whether it is public.
        if self.allows_all and scheme_of(url) in (*BUCKETS, *WEB):
            return True
        return any(_is_below(url, prefix) for prefix in self.prefixes)

    def names_host(self, host: str) -> bool:
        """Return whether a host is named, so that it may be one of the own network."""
        hosts = (
            _normalize(prefix).partition("://")[2].partition("/")[0] for prefix in self.prefixes
        )
        return host.lower() in {_strip_port(each) for each in hosts if each}


def _leads_out(url: str) -> bool:
    """Return whether a URL could lead out of its own beginning; keys in buckets are as written."""
    return WAY_OUT.search(url) is not None and scheme_of(url) not in BUCKETS


def check_secrets(url: str) -> None:
    """Check that a URL can be kept and shown.

    Raises:
        SourceError: It has a password or a signature in it; the message does not repeat it.
    """
    if USER.match(url) or SECRET.search(url):
        raise SourceError(
            f"A URL of {scheme_of(url)}://… has credentials in it, which would be kept and shown"
            " with the job. Leave them out, and set the variables of the cloud on the workers, such"
            " as AWS_ACCESS_KEY_ID."
        )


def _is_below(url: str, prefix: str) -> bool:
    url, prefix = _normalize(url), _normalize(prefix)
    return url == prefix or url.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _normalize(url: str) -> str:
    """Return a URL whose scheme and host are in lower case, as they are compared."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}"


def _strip_port(host: str) -> str:
    return re.sub(r":\d+$", "", host).strip("[]")
