"""Requests for jobs that build on another one: on its model or on its coordinates."""

from dataclasses import replace
from typing import Any

from shoal.producer.submission.listing import Listing
from shoal.shared.jobs import JobRequest


def derive_request(parent: JobRequest, listing: Listing, **changes: Any) -> JobRequest:
    """Derive the request for a job that builds on another one.

    Args:
        parent: The request of that job.
        listing: The images of the new one.
        **changes: Fields that differ from that job's; among them, its id.
    """
    neither = {"model_of": None, "coordinates_of": None, "cluster": None}
    own = {"batch_size": None, "renumber": False, "keep_model": False}
    return replace(parent, **{**listing.given, **neither, **own, **changes})
