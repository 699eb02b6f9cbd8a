"""What the layout of every page shows, whatever the page is about."""

from collections.abc import Iterable
from typing import Any

from shoal.producer.web.site import Site
from shoal.shared.jobs import Status


def shared_values(site: Site) -> dict[str, Any]:
    """Return the values that the templates of all pages need."""
    return {
        "is_embedded": site.client.is_embedded,
        "is_private": site.access.token is not None,
    }


def find_lack(site: Site, statuses: Iterable[Status]) -> str:
    """Say what the first of some jobs lacks that has work, but no worker that takes it."""
    lacks = map(site.client.workers.describe_lack, statuses)
    return next(filter(None, lacks), "")
