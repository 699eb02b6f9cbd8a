"""What holds of a job in the store, whatever processes do, in whatever order."""

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shoal.shared.errors import UsageError
from shoal.shared.jobs import State, Wave
from shoal.shared.shards import Shards
from shoal.shared.shards.objects import ObjectShards
from shoal.shared.store import Commit, Expiry, JobShards, Kind, Lease, Ledger, Lifetimes

pytestmark = [pytest.mark.each_server, pytest.mark.each_place]

LOADING, LABELLING = Wave.LOADING, Wave.LABELLING
IN_STAGE = {State.QUEUED: LOADING, State.LOADING: LOADING, State.LABELLING: LABELLING}
AFTER = {State.FITTING: State.LABELLING, State.FINISHING: State.FINISHED}
LIFETIMES = Lifetimes(features_seconds=1000, results_seconds=2000)

Work = tuple[Wave, int, str]  # an attempt: its stage, batch and model


class JobMachine(RuleBasedStateMachine):
    """One job, and the processes that begin, lose and commit its batches and hold its lease."""

    register: ClassVar[Callable[..., Ledger]]
    place: ClassVar[Shards]
    begun = Bundle("begun")  # also what was lost since
    leases = Bundle("leases")  # also those lost since

    @initialize(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4))
    def register_job(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.ledger = type(self).register([["a.png"] * size for size in sizes])
        self.shards = JobShards(self.ledger.client, self.ledger.job_id, type(self).place)
        self.n_commits = 0
        self.names: dict[tuple[Wave, int], str] = {}  # of the shards that count
        self.sent: list[tuple[Wave, int, str, Callable[[], Commit]]] = []
        self.state = State.QUEUED
        self.done: dict[Wave, set[int]] = {wave: set() for wave in Wave}
        self.features: set[int] = set()
        self.failed: dict[int, int] = {}  # images of each batch that was ever loaded
        self.newest: Lease | None = None
        self.model = ""
        self.expires = False

    def teardown(self) -> None:
        client: Any = self.ledger.client
        client.delete(*client.keys(f"*{self.ledger.job_id}*"))
        type(self).place.delete(list(type(self).place.names(f"jobs/{self.ledger.job_id}")))

    def batch(self, number: int) -> int:
        return number % len(self.sizes)

    @rule(target=begun, wave=st.sampled_from(Wave), number=st.integers(0, 3), again=st.booleans())
    def start(self, wave: Wave, number: int, again: bool) -> Any:
        batch = self.batch(number)
        attempt = self.ledger.batches.start(wave, batch, again)
        if IN_STAGE.get(self.state) is wave:
            self.state = State(wave)
        if attempt is None:
            return multiple()
        assert self.state is State(wave)
        assert batch not in self.done[wave]
        return wave, batch, self.model

    @rule(work=begun)
    def beat(self, work: Work) -> None:
        wave, batch, _ = work
        assert self.ledger.batches.beat(wave, batch) == (self.state is State(wave))

    @rule(work=begun)
    def fall_silent(self, work: Work) -> None:
        wave, batch, _ = work
        client: Any = self.ledger.client
        client.zadd(self.ledger.keys.running(wave), {str(batch): 1}, xx=True)

    @rule(wave=st.sampled_from(Wave))
    def take_lost(self, wave: Wave) -> None:
        lost = self.ledger.batches.take_lost(wave)
        assert not self.done[wave] & set(lost)
        assert self.ledger.batches.take_lost(wave) == []

    @rule(work=consumes(begun), error=st.none() | st.just("ValueError: odd"))
    def fail(self, work: Work, error: str | None) -> None:
        wave, batch, _ = work
        self.ledger.batches.end_attempt(wave, batch, error)

    @rule(work=begun, share=st.integers(0, 3))
    def commit(self, work: Work, share: int) -> None:
        wave, batch, model = work
        failed = max(0, self.sizes[batch] - share)
        expected = {Commit.STALE}
        if self.state is State(wave) and (wave is LOADING or model == self.model):
            is_late = batch in self.done[wave]
            expected = {Commit.DUPLICATE} if is_late else {Commit.COMMITTED, Commit.LAST}
        commit, name = self.send_commit(work, failed)
        assert commit in expected
        if Commit.COMMITTED in expected:
            self.done[wave].add(batch)
            self.names[wave, batch] = name
            if wave is LOADING:
                self.failed[batch] = failed
                self.features.add(batch)

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 9))
    def lose_the_reply_to_a_commit(self, number: int) -> None:
        wave, batch, name, send_again = self.sent[-1 - number % len(self.sent)]
        there = self.done[LABELLING] if wave is LABELLING else self.done[LOADING] & self.features
        counts = batch in there and self.names.get((wave, batch)) == name
        counted = {Commit.COMMITTED, Commit.LAST}
        if self.state is State(wave) and batch not in self.done[wave]:
            return  # since then, a retry wants the batch again: a commit may count
        assert send_again() in (counted if counts else {Commit.DUPLICATE, Commit.STALE})

    @rule(callback_too=st.booleans())
    def complete_the_stage(self, callback_too: bool) -> None:
        # By chance alone a job seldom comes to its end.
        if wave := IN_STAGE.get(self.state):
            for batch in range(len(self.sizes)):
                self.start(wave, batch, False)
                self.commit((wave, batch, self.model), 2)
            if callback_too:
                self.advance(self.acquire(wave), True)

    def send_commit(self, work: Work, failed: int) -> tuple[Commit, str]:
        wave, batch, model = work
        keys, loaded = self.ledger.keys, self.sizes[batch] - failed
        positions = [{"position": position} for position in range(failed)]
        notes = {
            keys.shapes: b'{"rows":%d}' % loaded,
            keys.failures: json.dumps(positions, separators=(",", ":")).encode(),
            keys.hashes: b"hashes",
        }
        kind = Kind.FEATURES if wave is LOADING else Kind.COORDINATES

        def send(names: dict[Kind, str]) -> Commit:
            def send() -> Commit:
                if wave is LABELLING:
                    return batches.commit_labelling(batch, b"rows", model, shards=names)
                return batches.commit_loading(batch, names, (loaded, failed), notes)

            self.sent.append((wave, batch, names[kind], send))
            return send()

        batches = self.ledger.batches
        self.n_commits += 1
        token = f"{self.n_commits:016}"
        commit = self.shards.commit(batch, token, {kind: [b"large"]}, send)
        return commit, self.sent[-1][2]

    @rule(target=leases, wave=st.sampled_from(Wave))
    def acquire(self, wave: Wave) -> Any:
        is_held = self.ledger.has_lease()
        lease = self.ledger.acquire_lease(wave)
        if lease is None:
            return multiple()
        assert not is_held
        assert len(self.done[wave]) == len(self.sizes)
        assert self.state in {State(wave), lease.state}
        assert self.newest is None or lease.token != self.newest.token
        self.state, self.newest = lease.state, lease
        return lease

    @precondition(lambda self: self.newest)
    @rule()
    def lose_lease(self) -> None:
        client: Any = self.ledger.client
        client.delete(self.ledger.keys.lease)

    def holds(self, lease: Lease) -> bool:
        return lease == self.newest and lease.state is self.state

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        assert self.ledger.renew_lease(lease) == self.holds(lease)

    @rule(lease=leases, ends=st.sampled_from([True, True, True, False]))
    def advance(self, lease: Lease, ends: bool) -> None:
        following = AFTER[lease.state] if ends else State.FAILED
        held = self.holds(lease)
        fields = {"model_token": lease.token} if lease.state is State.FITTING else {}
        assert self.ledger.advance(lease, following, fields) == held
        if held:
            self.state = following
            self.model = fields.get("model_token", self.model)

    @precondition(lambda self: any(self.done.values()))
    @rule()
    def cancel(self) -> None:
        if not self.state.is_final:
            self.state = State.CANCELLED
        assert self.ledger.cancel() is self.state

    @precondition(lambda self: self.done[LOADING])
    @rule(failed_only=st.booleans(), cancels=st.booleans(), expires=st.booleans())
    def retry(self, failed_only: bool, cancels: bool, expires: bool) -> None:
        if cancels:
            self.cancel()
        if expires:
            self.begin_to_expire()
        has_failures, has_result = any(self.failed.values()), self.state is State.FINISHED
        if not self.state.is_final or not (has_failures if failed_only else not has_result):
            with pytest.raises(UsageError, match="nothing to retry"):
                self.ledger.retry(failed_only=failed_only)
            return
        self.failed = {batch: self.failed[batch] for batch in self.features}
        kept = self.done[LOADING] & self.features
        if failed_only:
            kept = {batch for batch in kept if not self.failed[batch]}
        missing = set(range(len(self.sizes))) - kept
        lost = self.shards.find_lost(Kind.FEATURES)
        assert lost == {}
        assert set(self.ledger.retry(failed_only=failed_only, lost=lost)) == missing
        assert set(self.ledger.batches.missing(LOADING)) == missing  # none runs any more
        self.done = {LOADING: kept, LABELLING: set()}
        self.state = State.QUEUED if missing else State.LOADING
        self.model, self.expires = "", False

    @rule()
    def begin_to_expire(self) -> None:
        Expiry(self.ledger.client, self.ledger.job_id).begin(LIFETIMES)
        self.expires = self.expires or self.state.is_final

    @precondition(lambda self: self.state.is_final)
    @rule()
    def drop_features(self) -> None:
        Expiry(self.ledger.client, self.ledger.job_id).drop_features()
        if self.state.is_final:
            self.features.clear()

    @invariant()
    def all_keys_expire_once_the_job_has_ended_and_none_before(self) -> None:
        client: Any = self.ledger.client
        keys = set(client.keys(f"*{self.ledger.job_id}*")) - {self.ledger.keys.lease.encode()}
        assert {client.ttl(key) > 0 for key in keys} == {self.expires}

    @invariant()
    def state_is_what_was_made_of_it(self) -> None:
        assert self.ledger.state() is self.state

    @invariant()
    def counts_add_up(self) -> None:
        status = self.ledger.status()
        sizes = [self.sizes[batch] for batch in self.done[LOADING]]
        assert status.images.loaded + status.images.failed == sum(sizes) <= status.images.total
        assert status.images.failed == sum(self.failed[batch] for batch in self.done[LOADING])
        assert 0 <= status.progress <= 1

    @invariant()
    def each_batch_is_done_or_running_or_missing(self) -> None:
        for wave in Wave:
            client, keys = self.ledger.client, self.ledger.keys
            done = {int(batch) for batch in client.smembers(keys.done(wave))}
            running = {int(batch) for batch in client.zrange(keys.running(wave), 0, -1)}
            missing = set(self.ledger.batches.missing(wave))
            assert done == self.done[wave]
            assert int(self.ledger.fields().get(f"{wave}_done", 0)) == len(done)
            assert sorted([*done, *running, *missing]) == list(range(len(self.sizes)))

    @invariant()
    def outputs_are_those_of_the_batches_done(self) -> None:
        client, keys = self.ledger.client, self.ledger.keys
        assert set(map(int, client.hgetall(keys.labels))) == self.done[LABELLING]
        of_kind = {Kind.FEATURES: self.features, Kind.COORDINATES: self.done[LABELLING]}
        for kind, batches in of_kind.items():
            names = self.shards.names(kind)
            assert set(names) == batches
            found = set(type(self).place.names(f"jobs/{self.ledger.job_id}/{kind}"))
            counted = {f"jobs/{self.ledger.job_id}/{name}" for name in names.values()}
            assert counted <= found
            # Files and objects that a retry has replaced are deleted later.
            assert counted == found or type(self).place.url != "Redis"


@pytest.mark.parametrize("n_jobs", [100, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
def test_a_job_counts_each_batch_once_and_only_moves_forward(
    register: Callable[..., Ledger], place: Shards, n_jobs: int
) -> None:
    machine = type("Machine", (JobMachine,), {"register": staticmethod(register), "place": place})
    if isinstance(place, ObjectShards):  # each step lists them, which takes ten times as long
        n_jobs //= 10
    run_state_machine_as_test(
        machine, settings=settings(max_examples=n_jobs, stateful_step_count=30, deadline=None)
    )
