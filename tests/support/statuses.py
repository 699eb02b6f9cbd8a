"""The status of a job that is loading, to be changed as a test needs it."""

import time
from typing import Any

from quick import make_quick_request

from shoal.shared.jobs import ImageCounts, State, Status


def make_status(**changes: Any) -> Status:
    """Return the status of a job of 12,000 images, half of them loaded, with ``changes``."""
    now = time.time()
    values: dict[str, Any] = {
        "job_id": "ab12",
        "state": State.LOADING,
        "images": ImageCounts(total=12_000, loaded=5_990, failed=10),
        "progress": 0.4,
        "images_per_second": 1234.4,
        "eta_seconds": 65.4,
        "created_at": now,
        "started_at": now,
        "finished_at": None,
        "expires_at": None,
        "error": None,
        "request": make_quick_request(),
    }
    return Status(**values | changes)
