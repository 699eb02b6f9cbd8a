"""What a test asks for where it does not say: what is quick, whatever the defaults are."""

from typing import Any

from shoal import Client
from shoal.producer.job import Job
from shoal.producer.submission.listing import Listing
from shoal.shared.jobs import Algorithm, JobRequest

QUICK: dict[str, Any] = {"features": "pixels", "clusters": 5}
QUICK_ARGUMENTS: tuple[str, ...] = ("--features", "pixels", "--clusters", "5")


def make_quick_request(**options: Any) -> JobRequest:
    """Make a request as it is stored; also of features of which no worker knows."""
    return JobRequest(**{"source": "/photographs", "image_size": 32, **QUICK, **options})


class QuickClient(Client):
    """The Python client; its jobs are quick unless their options say otherwise."""

    def submit_listing(self, listing: Listing, **options: Any) -> Job:
        options = {name: value for name, value in options.items() if value is not None}
        if options.get("algorithm") == Algorithm.HDBSCAN:
            options = {"clusters": "auto", **options}
        return super().submit_listing(listing, **(QUICK | options))
