"""Where the bytes of images are is kept, and goes, with the manifest of a job."""

from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.sources.locations import Location
from shoal.shared.store import Ledger, Lifetimes, Registry, Results
from shoal.shared.store.expiry import Expiry
from shoal.shared.store.keys import JobKeys
from shoal.shared.store.registry import Origin

BATCHES = [["a.jpg", "b.jpg"], ["c.jpg"]]
LOCATIONS = [[Location(1), Location(2, b"8 bytes.")], [Location(3, archive=".", offset=512)]]


def register(redis, origin=None, job_id="f" * 12):
    request = JobRequest(source="s3://bucket")
    return Registry(redis).register(job_id, request, BATCHES, origin=origin, locations=LOCATIONS)


def test_each_batch_has_its_locations(redis):
    register(redis)
    results = Results(redis, "f" * 12)
    assert [results.locations(batch) for batch in range(2)] == LOCATIONS
    assert [results.paths(batch) for batch in range(2)] == BATCHES


def test_an_attempt_gets_them_in_the_round_trip_in_which_it_begins(redis):
    register(redis)
    results, ledger = Results(redis, "f" * 12), Ledger(redis, "f" * 12, 60)
    attempt = ledger.batches.start(Wave.LOADING, 1, False, results.batch_hashes)
    assert attempt
    assert results.locations_among(attempt.values) == LOCATIONS[1]
    assert results.batch(attempt.values) == (BATCHES[1], None)


def test_a_job_of_a_plain_folder_has_none_and_no_key_of_them(redis, register):
    ledger = register(BATCHES)
    results = Results(redis, ledger.job_id)
    assert results.locations(0) is None
    assert not redis.exists(results.keys.locations)
    attempt = ledger.batches.start(Wave.LOADING, 0, False, results.batch_hashes)
    assert attempt
    assert results.locations_among(attempt.values) is None


def test_they_expire_with_the_job_and_a_retry_keeps_them(redis):
    register(redis)
    ledger, key = Ledger(redis, "f" * 12, 60), JobKeys("f" * 12).locations
    assert redis.ttl(key) == -1
    ledger.cancel()
    Expiry(redis, "f" * 12).begin(Lifetimes(60, 3600))
    assert 0 < redis.ttl(key) <= 3600
    ledger.retry()
    assert ledger.state() is State.QUEUED
    assert redis.ttl(key) == -1


def test_of_a_job_that_another_one_stands_for_none_are_left(redis):
    register(redis, Origin(fingerprint="same"))
    other = "e" * 12
    assert register(redis, Origin(fingerprint="same", known=()), other) == "f" * 12
    assert not redis.exists(JobKeys(other).locations, JobKeys(other).manifest)
