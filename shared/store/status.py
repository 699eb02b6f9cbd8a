"""The status of a job, computed from the fields of its ledger."""

from collections.abc import Mapping

from shoal.shared.jobs import ImageCounts, JobRequest, LeftOut, Previous, State, Status, Wave
from shoal.shared.store.protocols import check_protocol, protocol_of, read_request
from shoal.shared.wire import decode

# Where each state begins; loading takes over 80 % of the time of most jobs.
FITTING = 0.8
LABELLING = 0.88
FINISHING = 0.95


def make_status(job_id: str, fields: Mapping[str, str], now: float) -> Status:
    """Compute the status of a job from its ``fields``; ``now`` is a time of the server's clock.

    Raises:
        VersionError: The job is of another version, which the message names.
        ValueError: The fields are damaged, or of another version.
    """
    try:
        check_protocol(job_id, fields)
        return _read_status(job_id, fields, now)
    except (ArithmeticError, LookupError) as error:
        raise ValueError(f"job {job_id} is of another version: {error!r}") from error


def _read_status(job_id: str, fields: Mapping[str, str], now: float) -> Status:
    """Do what ``make_status`` does; raises whatever the fields lead to."""
    images = ImageCounts(
        total=int(fields["total"]),
        loaded=int(fields["loaded"]),
        failed=int(fields["failed"]),
        known=int(fields.get("known", 0)),
    )
    state = State(fields["state"])
    progress = _progress_of(state, images, fields)
    return Status(
        job_id=job_id,
        state=state,
        images=images,
        progress=progress,
        images_per_second=images_per_second(images, fields, now),
        eta_seconds=eta_seconds(state, progress, fields, now),
        created_at=float(fields["created_at"]),
        started_at=_optional_time(fields, "started_at"),
        finished_at=_optional_time(fields, "finished_at"),
        expires_at=_optional_time(fields, "expires_at"),
        error=fields.get("error"),
        request=decode(read_request(fields), JobRequest),
        left_out=decode(fields.get("left_out", "{}"), LeftOut),
        previous=_read_previous(fields),
        protocol=protocol_of(fields),
        version=fields.get("version", ""),
    )


def _read_previous(fields: Mapping[str, str]) -> Previous | None:
    if compared := fields.get("compared"):
        return decode(compared, Previous)
    return Previous(job_id=fields["previous"]) if fields.get("previous") else None


def _optional_time(fields: Mapping[str, str], name: str) -> float | None:
    return float(fields[name]) if name in fields else None


def _progress_of(state: State, images: ImageCounts, fields: Mapping[str, str]) -> float:
    """Estimate the share of the work that is done, from 0 to 1."""
    if state is State.FINISHED:
        return 1.0
    # A job that was cancelled or failed keeps its progress: it has a model once it was fitted.
    if state in {State.LABELLING, State.FINISHING} or "model_token" in fields:
        labelled = int(fields.get(f"{Wave.LABELLING}_done", 0)) / int(fields["batches"])
        return round(LABELLING + (FINISHING - LABELLING) * labelled, 4)
    return round(FITTING * (images.loaded + images.failed) / images.total, 4)


def images_per_second(images: ImageCounts, fields: Mapping[str, str], now: float) -> float | None:
    """Compute the rate of the loading stage: so far, or of all of it once it has ended."""
    # A retried job keeps images that were loaded before; its times start again.
    seen = images.loaded + images.failed - _kept_images(fields)
    started = _optional_time(fields, "started_at")
    if started is None or seen <= 0:
        return None
    ended = _optional_time(fields, f"{Wave.LOADING}_ended_at") or _optional_time(
        fields, "finished_at"
    )
    return round(seen / max((ended or now) - started, 1e-3), 1)


def eta_seconds(
    state: State, progress: float, fields: Mapping[str, str], now: float
) -> float | None:
    """Estimate the seconds left from the rate so far."""
    started = _optional_time(fields, "started_at")
    made = progress - FITTING * _kept_images(fields) / int(fields["total"])
    if state.is_final or started is None or made <= 0:
        return None
    # A server's clock can be set back.
    return round(max(now - started, 0) * (1 - progress) / made, 1)


def _kept_images(fields: Mapping[str, str]) -> int:
    """Return how many images had been loaded or had failed when the job was last retried."""
    return int(fields.get("kept", 0))
