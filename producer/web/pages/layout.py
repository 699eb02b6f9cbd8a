"""What the layout of every page shows, whatever the page is about."""

from typing import Any

from shoal.producer.web.site import Site
from shoal.shared.jobs import Status


def shared_values(site: Site) -> dict[str, Any]:
    """Return the values that the templates of all pages need."""
    return {
        "is_embedded": site.client.is_embedded,
        "is_private": site.access.token is not None,
    }


def lacks_workers(site: Site, status: Status) -> bool:
    """Return whether a job has work but no worker is running."""
    return not (status.state.is_final or site.client.workers.are_running())
