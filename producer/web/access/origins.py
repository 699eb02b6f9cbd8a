"""Origins: whether a request comes from this machine, and not from another site's page."""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def is_loopback(host: str) -> bool:
    """Return whether ``host`` names this machine, to itself alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names_loopback(request: Request) -> bool:
    """Return whether a request asks for this machine by a name of its own.

    Another name that leads here is a foreign site's, which has bent it (DNS rebinding).
    """
    return is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname or "")


def is_foreign(request: Request) -> bool:
    """Return whether a browser sends a request that changes something for another site."""
    if request.method in SAFE_METHODS:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = request.headers.get("origin")
    # A program sends neither.
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
