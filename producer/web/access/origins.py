"""Checks of a request's host and origin, against DNS rebinding and cross-site requests."""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is a loopback address or ``localhost``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names_loopback(request: Request) -> bool:
    """Return whether a request's host is a loopback name.

    Any other name that leads here may be a foreign site's that was pointed here (DNS rebinding).
    """
    return is_loopback(urlsplit(f"//{request.headers.get('host', '')}").hostname or "")


def is_foreign(request: Request) -> bool:
    """Return whether a browser sends this request for another site, and it may change something."""
    if request.method in SAFE_METHODS:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = request.headers.get("origin")
    # A program that is not a browser sends neither header.
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
