"""The registry: a job appears at once, or not at all."""

import pytest
from polling import wait_until
from quick import make_quick_request

from shoal.shared.errors import UnknownJobError
from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.store import Ledger, Registry, Results, scripts
from shoal.shared.store import registry as registry_module
from shoal.shared.store.keys import JobKeys

pytestmark = pytest.mark.each_server


def test_a_registered_job_is_queued_with_its_counts(register):
    status = register([["a.png", "b.png"], ["c.png"]], clusters=2).status()
    assert status.state is State.QUEUED
    assert (status.images.total, status.images.loaded, status.images.failed) == (3, 0, 0)
    assert status.request == make_quick_request(clusters=2)
    assert (status.started_at, status.finished_at, status.expires_at) == (None, None, None)


def test_every_batch_can_be_made_again_from_the_manifest(redis, register):
    batches = [[f"{batch}/{number}.png" for number in range(3)] for batch in range(600)]
    results = Results(redis, register(batches).job_id)
    assert results.n_batches() == 600
    assert [results.paths(batch) for batch in range(600)] == batches


def test_names_with_newlines_and_of_any_bytes_survive_the_manifest(redis, register):
    names = ["a\nb.png", "caf\udce9.png", "日本/🐟.png", "quote\"',;.png", "tab\t.png", " .png"]
    assert Results(redis, register([names]).job_id).paths(0) == names


class ProducerDiedError(Exception):
    pass


def test_what_a_producer_wrote_before_it_died_is_invisible_and_expires(redis, monkeypatch):
    def die(*arguments):
        raise ProducerDiedError

    monkeypatch.setattr(scripts, "run", die)  # after the manifest, before the job
    registry = Registry(redis)
    with pytest.raises(ProducerDiedError):
        registry.register("half", JobRequest(source="/"), [["a.png"]])
    monkeypatch.undo()
    assert list(registry.jobs()) == registry.active_jobs() == []
    assert redis.keys("*") == [JobKeys("half").manifest.encode()]
    assert 0 < redis.ttl(JobKeys("half").manifest) <= registry_module.UNREGISTERED_SECONDS


def test_a_registered_jobs_manifest_does_not_expire(redis, register):
    job_id = register().job_id
    assert [redis.ttl(key) for key in redis.keys(f"*{job_id}*")] == [-1, -1]


def test_jobs_are_listed_newest_first_and_expired_ones_are_forgotten(redis, registry, register):
    ids = [register().job_id for _ in range(3)]
    redis.delete(JobKeys(ids[1]).job)
    assert list(registry.jobs()) == [ids[2], ids[0]]
    registry.forget_expired()
    assert redis.zcard("shoal:jobs") == 2


def test_active_jobs_are_looked_after_oldest_first_until_they_have_ended(registry, register):
    ids = [register().job_id for _ in range(3)]
    registry.retire(ids[1])
    assert registry.active_jobs() == ids
    Ledger(registry.client, ids[1], 15).cancel()
    registry.retire(ids[1])
    assert registry.active_jobs() == [ids[0], ids[2]]


def test_a_claim_belongs_to_one_process_until_it_runs_out(registry):
    assert registry.claim("sweep", 0.05)
    assert not registry.claim("sweep", 0.05)
    assert registry.claim("something else", 5)
    wait_until(lambda: registry.claim("sweep", 5))


def test_workers_are_known_by_their_last_sign_of_life(redis, registry):
    registry.note_worker("one@host")
    registry.note_worker("two@host")
    redis.zincrby("shoal:workers", -60, "two@host")
    assert registry.workers(within_seconds=30) == ["one@host"]
    assert registry.workers(within_seconds=90) == ["two@host", "one@host"]
    registry.forget_worker("one@host")
    assert registry.workers(within_seconds=30) == []


def test_workers_silent_for_a_day_are_forgotten(redis, registry):
    registry.note_worker("old@host")
    redis.zincrby("shoal:workers", -90_000, "old@host")
    assert registry.workers(within_seconds=100_000) == ["old@host"]
    registry.forget_expired()
    assert not redis.exists("shoal:workers")


def test_an_unknown_job_has_no_state_and_its_ledger_names_a_remedy(redis):
    ledger = Ledger(redis, "nosuch", 15)
    assert ledger.state() is None
    assert ledger.batches.start(Wave.LOADING, 0, redelivered=False) is None
    assert ledger.acquire_lease(Wave.LOADING) is None
    for ask in (ledger.status, ledger.cancel, lambda: ledger.request):
        with pytest.raises(UnknownJobError, match=r"client\.jobs\(\)"):
            ask()
    assert redis.keys("*nosuch*") == []


def test_jobs_are_counted_by_state_and_damaged_ones_hide_no_others(redis, register, registry):
    first, _, damaged = register(), register(), register()
    first.cancel()
    redis.delete(damaged.keys.job)
    redis.set(damaged.keys.job, "damaged")
    assert registry.count_jobs() == {"cancelled": 1, "queued": 1}
