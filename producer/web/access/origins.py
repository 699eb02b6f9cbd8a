"""Checks of a request's host and origin, against DNS rebinding and cross-site requests."""

import ipaddress
import re

from starlette.requests import Request

# A name or an address, and a port.
HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", re.ASCII)
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
    named = HOST.fullmatch(request.headers.get("host", ""))
    return named is not None and is_loopback(named[1])


def is_foreign(request: Request) -> bool:
    """Return whether a browser sends this request for another site, and it may change something."""
    if request.method in SAFE_METHODS:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    origin = request.headers.get("origin")
    # A program that is not a browser sends neither header.
    if origin is None:
        return False
    # Compared as text: what is no URL at all is foreign too.
    host = request.headers.get("host", "")
    return origin not in {f"http://{host}", f"https://{host}"}
