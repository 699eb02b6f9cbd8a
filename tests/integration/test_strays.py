"""Shards outside Redis that do not count are deleted, and no others."""

import pytest
from shards import commit_features

from shoal.shared.jobs import State, Wave
from shoal.shared.server.places import identify
from shoal.shared.shards import FileShards, RedisShards, find_id
from shoal.shared.store import Expiry, JobShards, Kind, Lifetimes, Strays
from shoal.shared.store.keys import stored

pytestmark = pytest.mark.each_place

LIFETIMES = Lifetimes(features_seconds=100, results_seconds=1000)
LONG_AGO = "00000001"  # what the token of an attempt of 1970 begins with


@pytest.fixture
def strays(redis, place):
    if not identify(place):
        pytest.skip("shards in Redis expire by themselves")
    return Strays(redis, place)


@pytest.fixture
def noted(place, ended):
    """What is noted of the job in the place."""
    return f"{identify(place)}/{ended.job_id}"


@pytest.fixture
def ledger(register):
    """A job that was cancelled with one batch loaded and labels of it."""
    return register(2)


@pytest.fixture
def shards(redis, ledger, place):
    return JobShards(redis, ledger.job_id, place)


@pytest.fixture
def ended(ledger, shards, redis):
    for batch in (0, 1):
        ledger.batches.start(Wave.LOADING, batch, redelivered=False)
        notes = {ledger.keys.shapes: b'{"rows":1}', ledger.keys.hashes: b"hashes"}
        commit_features(shards, ledger, batch, notes=notes)
    assert ledger.advance(ledger.acquire_lease(Wave.LOADING), State.LABELLING, {})
    shards.commit(
        0,
        "token",
        {Kind.COORDINATES: [b"coordinates"]},
        lambda names: ledger.batches.commit_labelling(0, b"rows", shards=names),
    )
    ledger.cancel()
    Expiry(redis, ledger.job_id).begin(LIFETIMES)
    return ledger


def names_of(place, ledger):
    return list(place.names(f"jobs/{ledger.job_id}"))


def pass_time(redis, *keys):
    for key in keys:
        redis.delete(key)


def test_before_anything_has_expired_nothing_is_looked_at(strays, ended, place, registry):
    before = names_of(place, ended)
    strays.delete_due(registry.now())
    assert names_of(place, ended) == before


def test_features_go_before_coordinates_and_these_with_the_job(
    strays, ended, shards, redis, place, registry, noted
):
    pass_time(redis, ended.keys.shards(Kind.FEATURES))
    strays.delete_due(registry.now() + 101)
    assert len(names_of(place, ended)) == 3  # whoever wrote them may be about to commit them
    assert registry.now() + 900 < redis.zscore(stored(), noted) < registry.now() + 1200
    old = [name for name in names_of(place, ended) if "features" in name]
    place.delete(old)
    for number in range(2):
        place.write(f"jobs/{ended.job_id}/features/{number:06}-{LONG_AGO}abc-def", [b"x"])
    redis.zadd(stored(), {noted: 1})
    strays.delete_due(registry.now())
    coordinates = shards.name(Kind.COORDINATES, 0)
    assert names_of(place, ended) == [f"jobs/{ended.job_id}/{coordinates}"]
    pass_time(redis, *redis.keys(f"*{ended.job_id}*"))
    redis.zadd(stored(), {noted: 1})
    strays.delete_due(registry.now())
    assert names_of(place, ended) == []
    assert not redis.zcard(stored())


def test_what_a_killed_process_wrote_goes_once_it_is_old(
    strays, ended, place, registry, redis, noted
):
    stray = f"jobs/{ended.job_id}/features/000000-{LONG_AGO}abc-def"
    place.write(stray, [b"never committed"])
    before = set(names_of(place, ended))
    redis.zadd(stored(), {noted: 1})
    strays.delete_due(registry.now())
    assert set(names_of(place, ended)) == before - {stray}
    assert redis.zscore(stored(), noted) > registry.now()


def test_the_shards_of_a_job_that_was_retried_stay(strays, ended, shards, redis, registry, noted):
    before = shards.names(Kind.FEATURES)
    ended.retry()
    redis.zadd(stored(), {noted: 1})
    strays.delete_due(registry.now() + 10_000)
    assert shards.find_lost(Kind.FEATURES) == {}
    assert shards.names(Kind.FEATURES) == before
    assert redis.zscore(stored(), noted) is None


def test_jobs_that_redis_has_lost_are_deleted_where_it_is_the_only_one(
    strays, ledger, place, registry
):
    unknown = f"jobs/lost/features/000000-{LONG_AGO}abc-def"
    recent = f"jobs/recent/features/000000-{int(registry.now()):08x}abc-def"
    for name in (unknown, recent, "jobs/other/what"):
        place.write(name, [b"x"])
    strays.delete_unknown(registry.now())  # nobody has said whose they are
    assert unknown in set(place.names("jobs"))
    strays.note_owner()
    strays.delete_unknown(registry.now())
    assert set(place.names("jobs")) == {recent, "jobs/other/what"}


def test_jobs_that_may_be_of_another_redis_are_left_alone(strays, place, registry):
    unknown = f"jobs/lost/features/000000-{LONG_AGO}abc-def"
    place.write(unknown, [b"x"])
    strays.note_owner()
    place.create("owners/another", b"")
    strays.delete_unknown(registry.now())
    assert list(place.names("jobs")) == [unknown]


def test_the_sweeper_deletes_what_has_expired(strays, ended, place, context, redis, noted):
    pass_time(redis, *redis.keys(f"*{ended.job_id}*"))
    redis.zadd(stored(), {noted: 1})
    context.sweeper.sweep()
    assert names_of(place, ended) == []


def test_whoever_has_another_place_leaves_it_to_those_who_have_the_right_one(
    strays, ended, place, redis, registry, noted, tmp_path
):
    not_mounted, another = FileShards(tmp_path / "empty"), FileShards(tmp_path / "another")
    not_mounted.root.mkdir()
    find_id(another)
    pass_time(redis, *redis.keys(f"*{ended.job_id}*"))
    redis.zadd(stored(), {noted: 1})
    for elsewhere in (RedisShards(redis), not_mounted, another):
        Strays(redis, elsewhere).delete_due(registry.now())
    assert list(not_mounted.root.iterdir()) == []
    strays.delete_due(registry.now())
    assert names_of(place, ended) == []
