"""Connections to buckets: S3 and what speaks its protocol, Google Cloud, Azure."""

import os
from datetime import timedelta

from obstore.store import ObjectStore, from_url

# Requests are tried again for this long. Then it is the caller's turn: workers wait and try again.
PATIENCE_SECONDS = 20.0
# For one request: the largest that is sent is a part of a shard.
REQUEST_SECONDS = 30.0
CONNECT_SECONDS = 5.0
# More than PATIENCE_SECONDS have room for.
MOST_RETRIES = 100

# obstore's threads do not survive a fork, and what waits for them in the child hangs for ever.
_used_by: list[int] = []


def check_process(url: str) -> None:
    """Note that this process uses a bucket.

    Raises:
        RuntimeError: It was forked from one that has used a bucket.
    """
    _used_by[:] = _used_by or [os.getpid()]
    if _used_by != [os.getpid()]:
        raise RuntimeError(
            f"{url} cannot be used by a process that was forked from one that has used a"
            " bucket; start a new process instead (`multiprocessing.get_context('spawn')`)."
        )


def open_bucket(url: str, patience_seconds: float = PATIENCE_SECONDS) -> ObjectStore:
    """Set up connections to a bucket; nothing is sent yet.

    Credentials, region and endpoint are in the variables that each cloud's own programs read, such
    as ``AWS_ACCESS_KEY_ID``.

    Args:
        url: Bucket and prefix, such as ``s3://BUCKET/PREFIX``.
        patience_seconds: How long a request is tried again.

    Raises:
        BaseError: A variable of the cloud is missing.
        ValueError: One cannot be used.
    """
    return from_url(
        url,
        client_options={
            "allow_http": True,  # only where the endpoint that is set says so
            "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, patience_seconds)),
            "timeout": timedelta(seconds=min(REQUEST_SECONDS, patience_seconds)),
        },
        retry_config={
            "retry_timeout": timedelta(seconds=patience_seconds),
            "max_retries": MOST_RETRIES,
            "backoff": {
                "init_backoff": timedelta(seconds=0.1),
                "max_backoff": timedelta(seconds=2),
                "base": 2,
            },
        },
    )
