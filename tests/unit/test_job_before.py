"""Which job is the one before, by whose numbers clusters are numbered."""

from dataclasses import replace

import pytest
from quick import make_quick_request
from statuses import make_status

from shoal.producer.submission.folder import read_folder
from shoal.producer.submission.previous import find_previous, make_series, needs_previous
from shoal.producer.submission.request import make_request
from shoal.shared.errors import UsageError
from shoal.shared.jobs import JobRequest, Level, Previous, State
from shoal.worker.stages.finishing.notes import describe_previous

NOW = 1_000_000.0
FINISHED = make_status(state=State.FINISHED, job_id="done", expires_at=NOW + 1000)
REQUEST = JobRequest(source="/photographs")


def test_the_series_is_of_the_folder_and_of_what_its_clusters_are():
    series = make_series(REQUEST)
    for change in ({"batch_size": 9}, {"renumber": True}, {"keep_model": True}):
        assert make_series(replace(REQUEST, **change)) == series
    others = (
        replace(REQUEST, source="/p"),
        replace(REQUEST, clusters=4),
        replace(REQUEST, level=Level.FINER),
        replace(REQUEST, components=3),
    )
    assert series not in map(make_series, others)


def test_the_labels_of_the_tutorial_and_of_a_new_numbering_need_no_job_before():
    assert needs_previous(REQUEST)
    assert not needs_previous(replace(REQUEST, renumber=True))
    assert not needs_previous(make_quick_request()), "as --recipe tutorial"
    assert needs_previous(make_quick_request(keep_model=True))


def test_the_job_before_is_the_last_one_that_finished_and_lives_on():
    others = [
        replace(FINISHED, job_id="working", state=State.LOADING, expires_at=None),
        replace(FINISHED, job_id="cancelled", state=State.CANCELLED),
        replace(FINISHED, job_id="failed", state=State.FAILED),
        replace(FINISHED, job_id="expiring", expires_at=NOW + 1),
    ]
    statuses = [*others, replace(FINISHED, job_id="last", expires_at=None), FINISHED]
    assert find_previous(statuses, REQUEST, NOW) == "last"
    assert find_previous(others, REQUEST, NOW) == ""


def test_a_model_to_keep_must_be_there():
    with pytest.raises(UsageError, match="Leave `keep_model=True` out"):
        find_previous([], replace(REQUEST, keep_model=True), NOW)


def test_a_model_that_is_kept_cannot_be_renumbered(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(UsageError, match="not both"):
        make_request(read_folder(tmp_path), {"renumber": True, "keep_model": True})


def test_notes_say_what_is_new_and_how_clusters_are_numbered():
    compared = Previous(job_id="ab", n_new=1600, n_gone=12, n_shared=100, n_matched=4)
    assert describe_previous(REQUEST, None, 5) == []
    assert describe_previous(REQUEST, compared, 5) == [
        "1,600 new, 12 gone since job ab; 4 of 5 clusters keep their numbers."
    ]
    kept = replace(REQUEST, keep_model=True)
    assert describe_previous(kept, compared, 5) == [
        "1,600 new, 12 gone since job ab; its model is kept: no cluster is new."
    ]
    assert describe_previous(REQUEST, Previous(job_id="ab"), 5) == [
        "Clusters are numbered by size: what job ab found before has expired."
    ]
