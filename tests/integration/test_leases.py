"""The ledger's leases: one process fits or finishes a job, and a late one changes nothing."""

import pytest
from polling import wait_until

from shoal.shared.jobs import State, Wave
from shoal.shared.store import Ledger

pytestmark = pytest.mark.each_server

LOADING, LABELLING = Wave.LOADING, Wave.LABELLING


def commit_all(ledger, wave=LOADING, n_batches=2):
    for batch in range(n_batches):
        ledger.batches.start(wave, batch, redelivered=False)
        if wave is LOADING:
            ledger.batches.commit_loading(batch, {}, (1, 0), {})
        else:
            ledger.batches.commit_labelling(batch, b"")


@pytest.fixture
def loaded(register):
    ledger = register()
    commit_all(ledger)
    return ledger


def expire_lease(ledger):
    ledger.client.delete(ledger.keys.lease)


def test_a_lease_is_not_given_before_the_stage_is_complete(register):
    ledger = register()
    ledger.batches.start(LOADING, 0, redelivered=False)
    assert ledger.acquire_lease(LOADING) is None
    assert ledger.state() is State.LOADING
    # That trigger is spent: whoever commits the last batch must send another.
    assert "chord_broken" in ledger.fields()


def test_a_lease_is_not_given_for_another_stage(loaded):
    assert loaded.acquire_lease(LABELLING) is None


def test_a_lease_begins_the_fit(loaded):
    lease = loaded.acquire_lease(LOADING)
    assert (lease.state, lease.attempt) == (State.FITTING, 1)
    assert loaded.state() is State.FITTING
    assert loaded.has_lease()


def test_a_second_delivery_finds_the_lease_held(loaded):
    assert loaded.acquire_lease(LOADING)
    assert loaded.acquire_lease(LOADING) is None


def test_each_holder_has_a_token_of_its_own_and_attempts_are_counted(loaded):
    leases = []
    for _ in range(3):
        leases.append(loaded.acquire_lease(LOADING))
        expire_lease(loaded)
    assert [lease.attempt for lease in leases] == [1, 2, 3]
    assert len({lease.token for lease in leases}) == 3


def test_a_backup_of_redis_that_is_put_back_gives_no_token_twice(loaded):
    client, job = loaded.client, loaded.keys.job
    backup = client.dump(job)
    before = loaded.acquire_lease(LOADING)
    client.restore(job, 0, backup, replace=True)
    expire_lease(loaded)
    after = loaded.acquire_lease(LOADING)
    assert after.token != before.token
    assert not loaded.renew_lease(before)


def test_attempts_to_finish_are_counted_apart_from_those_to_fit(loaded):
    loaded.advance(loaded.acquire_lease(LOADING), State.LABELLING, {})
    commit_all(loaded, LABELLING)
    lease = loaded.acquire_lease(LABELLING)
    assert (lease.state, lease.attempt) == (State.FINISHING, 1)


def test_a_lease_runs_out_by_itself(loaded):
    brief = Ledger(loaded.client, loaded.job_id, 0.05)
    assert brief.acquire_lease(LOADING)
    wait_until(lambda: not brief.has_lease())
    assert brief.acquire_lease(LOADING)


def test_an_attempt_that_redis_was_to_blame_for_does_not_count(loaded):
    late = loaded.acquire_lease(LOADING)
    loaded.return_attempt(late)
    assert loaded.has_lease()
    expire_lease(loaded)
    lease = loaded.acquire_lease(LOADING)
    assert lease.attempt == 1
    loaded.return_attempt(late)
    expire_lease(loaded)
    assert loaded.acquire_lease(LOADING).attempt == 2


def test_renewing_prolongs_a_lease(loaded):
    lease = loaded.acquire_lease(LOADING)
    loaded.client.pexpire(loaded.keys.lease, 1000)
    assert loaded.renew_lease(lease)
    assert loaded.client.pttl(loaded.keys.lease) > 10_000


def test_a_lease_that_ran_out_can_be_renewed_while_nobody_took_it(loaded):
    lease = loaded.acquire_lease(LOADING)
    expire_lease(loaded)
    assert loaded.renew_lease(lease)
    assert loaded.acquire_lease(LOADING) is None


def test_a_lease_that_another_took_cannot_be_renewed(loaded):
    late = loaded.acquire_lease(LOADING)
    expire_lease(loaded)
    holder = loaded.acquire_lease(LOADING)
    assert not loaded.renew_lease(late)
    assert loaded.renew_lease(holder)


def test_the_lease_of_a_cancelled_job_is_lost(loaded):
    lease = loaded.acquire_lease(LOADING)
    loaded.cancel()
    assert not loaded.renew_lease(lease)
    assert not loaded.advance(lease, State.LABELLING, {})
    assert not loaded.has_lease()
    assert loaded.state() is State.CANCELLED


def test_advancing_switches_state_and_pointers_in_one_step(loaded):
    lease = loaded.acquire_lease(LOADING)
    loaded.distrust_chord()
    assert loaded.advance(lease, State.LABELLING, {"model_token": 1, "note": "x"})
    fields = loaded.fields()
    assert (fields["state"], fields["model_token"], fields["note"]) == ("labelling", "1", "x")
    assert "chord_broken" not in fields
    assert not loaded.has_lease()


def test_a_late_holder_changes_nothing(loaded):
    late = loaded.acquire_lease(LOADING)
    expire_lease(loaded)
    holder = loaded.acquire_lease(LOADING)
    before = loaded.fields()
    assert not loaded.advance(late, State.LABELLING, {"model_token": late.token})
    assert not loaded.advance(late, State.FAILED, {"error": "late"})
    assert loaded.fields() == before
    assert loaded.has_lease()
    assert loaded.advance(holder, State.LABELLING, {"model_token": holder.token})
    assert not loaded.advance(holder, State.LABELLING, {"model_token": 99})
    assert loaded.fields()["model_token"] == holder.token


@pytest.mark.parametrize(("state", "ends"), [("labelling", False), ("failed", True)])
def test_only_an_end_has_a_time(loaded, state, ends):
    loaded.advance(loaded.acquire_lease(LOADING), State(state), {})
    assert (loaded.status().finished_at is not None) == ends


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_a_job_can_be_cancelled_in_every_state_before_its_end(register, state):
    ledger = register()
    ledger.client.hset(ledger.keys.job, "state", state)
    assert ledger.cancel() is State.CANCELLED
    assert ledger.status().finished_at is not None


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_a_job_that_has_ended_cannot_be_cancelled(register, state):
    ledger = register()
    ledger.client.hset(ledger.keys.job, "state", state)
    before = ledger.fields()
    assert ledger.cancel() is state
    assert ledger.fields() == before
