from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.shared.jobs import ImageCounts, JobRequest, LeftOut, State
from shoal.shared.store import status as statuses
from shoal.shared.wire import encode

NOW = 1_800_000_000.0
REQUEST = JobRequest(source="/photographs")


def make_status(fields):
    return statuses.make_status("job1", fields, NOW)


def make_fields(state, **fields):
    """What the ledger holds of a job of 100 images in 4 batches, begun 10 seconds ago."""
    return {
        "state": state,
        "job_request": encode(REQUEST),
        "total": "100",
        "batches": "4",
        "loaded": "0",
        "failed": "0",
        "created_at": str(NOW - 12),
        "started_at": str(NOW - 10),
        **fields,
    }


def test_a_queued_job_has_nothing_but_its_request():
    fields = make_fields("queued")
    del fields["started_at"]
    status = make_status(fields)
    assert (status.job_id, status.state, status.request) == ("job1", State.QUEUED, REQUEST)
    assert status.images == ImageCounts(total=100, loaded=0, failed=0)
    assert (status.progress, status.images_per_second, status.eta_seconds) == (0, None, None)
    assert (status.started_at, status.finished_at, status.expires_at) == (None, None, None)
    assert status.error is None
    assert status.left_out == LeftOut(), "as of a job of an earlier version"


def test_a_status_has_what_its_folder_has_beside_the_images():
    left_out = LeftOut(images={"heic": 2}, links=1)
    assert make_status(make_fields("queued", left_out=encode(left_out))).left_out == left_out


@pytest.mark.parametrize(
    ("state", "fields", "progress"),
    [
        ("loading", {"loaded": "40", "failed": "10"}, 0.4),
        ("loading", {"loaded": "90", "failed": "10"}, 0.8),
        ("fitting", {"loaded": "100"}, 0.8),
        ("labelling", {"loaded": "100"}, 0.88),
        ("labelling", {"loaded": "100", "labelling_done": "2"}, 0.915),
        ("labelling", {"loaded": "100", "labelling_done": "4"}, 0.95),
        ("finishing", {"loaded": "100", "labelling_done": "4"}, 0.95),
        ("finished", {"loaded": "100"}, 1.0),
        ("cancelled", {"loaded": "50"}, 0.4),
        ("failed", {"failed": "100"}, 0.8),
        ("failed", {"loaded": "100", "model_token": "1"}, 0.88),
        ("cancelled", {"loaded": "100", "model_token": "1", "labelling_done": "2"}, 0.915),
        ("cancelled", {}, 0),
    ],
)
def test_progress_grows_from_state_to_state(state, fields, progress):
    assert make_status(make_fields(state, **fields)).progress == pytest.approx(progress)


def test_rate_and_time_left_come_from_what_is_done():
    status = make_status(make_fields("loading", loaded="45", failed="5"))
    assert status.images_per_second == pytest.approx(5)
    assert status.eta_seconds == pytest.approx(15)


def test_the_rate_is_that_of_loading_once_it_is_over():
    started = NOW - 100
    fields = make_fields("labelling", loaded="100", started_at=str(started))
    fields["loading_ended_at"] = str(started + 20)
    assert make_status(fields).images_per_second == 5


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_an_ended_job_has_no_time_left(state):
    fields = make_fields(state, loaded="50", finished_at=str(NOW), error="why")
    status = make_status(fields)
    assert status.eta_seconds is None
    assert status.error == "why"


def test_a_job_cancelled_before_it_began_has_no_rate():
    fields = make_fields("cancelled", finished_at=str(NOW))
    del fields["started_at"]
    assert make_status(fields).images_per_second is None


names = st.sampled_from([*make_fields("loading"), "finished_at", "labelling_done", "model_token"])
texts = (
    st.text(max_size=10) | st.integers().map(str) | st.floats().map(str) | st.sampled_from(State)
)


@settings(max_examples=50)
@given(st.dictionaries(names, texts), st.sets(names))
def test_the_fields_of_another_version_are_a_status_or_a_value_error(changed, missing):
    fields = {**make_fields("loading"), **changed}
    with suppress(ValueError):
        make_status({name: text for name, text in fields.items() if name not in missing})


@pytest.mark.parametrize("changed", [{"total": "0"}, {"batches": "0", "state": "labelling"}])
def test_a_job_of_nothing_is_refused(changed):
    with pytest.raises(ValueError, match="job1 is of another version"):
        make_status({**make_fields("loading"), **changed})


def test_a_job_without_its_state_is_refused():
    fields = make_fields("loading")
    del fields["state"]
    with pytest.raises(ValueError, match="'state'"):
        make_status(fields)
