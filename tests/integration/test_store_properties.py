"""What holds of a job in the store, whatever processes do, in whatever order."""

from collections import Counter
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

from shared.jobs import Stage, State
from shared.store import Commit, Lease, Ledger

pytestmark = pytest.mark.each_server

LOADING, LABELLING = Stage.LOADING, Stage.LABELLING
IN_STAGE = {State.QUEUED: LOADING, State.LOADING: LOADING, State.LABELLING: LABELLING}
AFTER = {State.FITTING: State.LABELLING, State.FINISHING: State.FINISHED}


class JobMachine(RuleBasedStateMachine):
    """One job, and the processes that begin, lose and commit its batches and hold its lease."""

    register: ClassVar[Callable[..., Ledger]]
    begun = Bundle("begun")  # stage and batch of each attempt, also of those that were lost
    leases = Bundle("leases")  # also those that were lost

    @initialize(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4))
    def register_job(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.ledger = type(self).register([["a.png"] * size for size in sizes])
        self.state = State.QUEUED
        self.done: dict[Stage, set[int]] = {stage: set() for stage in Stage}
        self.counted: Counter[str] = Counter()
        self.newest: Lease | None = None

    def batch(self, number: int) -> int:
        return number % len(self.sizes)

    @rule(target=begun, stage=st.sampled_from(Stage), number=st.integers(0, 3), again=st.booleans())
    def start(self, stage: Stage, number: int, again: bool) -> Any:
        batch = self.batch(number)
        if self.ledger.start_batch(stage, batch, again) is None:
            return multiple()
        assert IN_STAGE.get(self.state) is stage
        assert batch not in self.done[stage]
        if self.state is State.QUEUED:
            self.state = State.LOADING
        return stage, batch

    @rule(work=begun)
    def beat(self, work: tuple[Stage, int]) -> None:
        assert self.ledger.beat_batch(*work) == (IN_STAGE.get(self.state) is work[0])

    @rule(work=begun)
    def fall_silent(self, work: tuple[Stage, int]) -> None:
        stage, batch = work
        self.ledger.client.zadd(self.ledger.keys.running(stage), {str(batch): 1}, xx=True)

    @rule(stage=st.sampled_from(Stage))
    def take_lost(self, stage: Stage) -> None:
        lost = self.ledger.take_lost_batches(stage)
        assert not self.done[stage] & set(lost)
        assert self.ledger.take_lost_batches(stage) == []

    @rule(work=consumes(begun), error=st.none() | st.just("ValueError: odd"))
    def fail(self, work: tuple[Stage, int], error: str | None) -> None:
        self.ledger.end_attempt(*work, error)

    @rule(work=begun, share=st.integers(0, 3))
    def commit(self, work: tuple[Stage, int], share: int) -> None:
        stage, batch = work
        loaded = min(share, self.sizes[batch])
        counts = {"loaded": loaded, "failed": self.sizes[batch] - loaded}
        expected = {Commit.STALE}
        if IN_STAGE.get(self.state) is stage:
            is_late = batch in self.done[stage]
            expected = {Commit.DUPLICATE} if is_late else {Commit.COMMITTED, Commit.LAST}
        assert self.send_commit(stage, batch, counts) in expected
        if Commit.COMMITTED in expected:
            self.done[stage].add(batch)
            self.counted.update(counts if stage is LOADING else {})

    @rule(callback_too=st.booleans())
    def complete_the_stage(self, callback_too: bool) -> None:
        # By chance alone a job seldom comes to its end.
        if stage := IN_STAGE.get(self.state):
            for batch in range(len(self.sizes)):
                self.start(stage, batch, False)
                self.commit((stage, batch), 3)
            if callback_too:
                self.advance(self.acquire(stage), True)

    def send_commit(self, stage: Stage, batch: int, counts: dict[str, int]) -> Commit:
        if stage is LABELLING:
            return self.ledger.commit_labelling(batch, b"rows")
        loaded, failed = counts.values()
        return self.ledger.commit_loading(batch, b"features", (loaded, failed), {})

    @rule(target=leases, stage=st.sampled_from(Stage))
    def acquire(self, stage: Stage) -> Any:
        is_held = self.ledger.has_lease()
        lease = self.ledger.acquire_lease(stage)
        if lease is None:
            return multiple()
        assert not is_held
        assert len(self.done[stage]) == len(self.sizes)
        assert self.state in {State(stage), lease.state}
        assert self.newest is None or lease.token > self.newest.token
        self.state, self.newest = lease.state, lease
        return lease

    @precondition(lambda self: self.newest)
    @rule()
    def lose_lease(self) -> None:
        self.ledger.client.delete(self.ledger.keys.lease)

    def holds(self, lease: Lease) -> bool:
        return lease == self.newest and lease.state is self.state

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        assert self.ledger.renew_lease(lease) == self.holds(lease)

    @rule(lease=leases, ends=st.sampled_from([True, True, True, False]))
    def advance(self, lease: Lease, ends: bool) -> None:
        following = AFTER[lease.state] if ends else State.FAILED
        held = self.holds(lease)
        assert self.ledger.advance(lease, following, {"by": lease.token}) == held
        if held:
            self.state = following

    @precondition(lambda self: sum(map(len, self.done.values())) > 2)
    @rule()
    def cancel(self) -> None:
        if not self.state.is_final:
            self.state = State.CANCELLED
        assert self.ledger.cancel() is self.state

    @invariant()
    def state_is_what_was_made_of_it(self) -> None:
        assert self.ledger.state() is self.state

    @invariant()
    def counts_add_up(self) -> None:
        status = self.ledger.status()
        sizes = [self.sizes[batch] for batch in self.done[LOADING]]
        assert status.images.loaded + status.images.failed == sum(sizes) <= status.images.total
        assert status.images.loaded == self.counted["loaded"]
        assert 0 <= status.progress <= 1

    @invariant()
    def each_batch_is_done_or_running_or_missing(self) -> None:
        for stage in Stage:
            client, keys = self.ledger.client, self.ledger.keys
            done = {int(batch) for batch in client.smembers(keys.done(stage))}
            running = {int(batch) for batch in client.zrange(keys.running(stage), 0, -1)}
            missing = set(self.ledger.missing_batches(stage))
            assert done == self.done[stage]
            assert int(self.ledger.fields().get(f"{stage}_done", 0)) == len(done)
            assert sorted([*done, *running, *missing]) == list(range(len(self.sizes)))

    @invariant()
    def outputs_are_those_of_the_batches_done(self) -> None:
        client, keys = self.ledger.client, self.ledger.keys
        for stage, key in ((LOADING, keys.features), (LABELLING, keys.labels)):
            present = {batch for batch in range(len(self.sizes)) if client.exists(key(batch))}
            assert present == self.done[stage]


@pytest.mark.parametrize("n_jobs", [20, pytest.param(1000, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
def test_a_job_counts_each_batch_once_and_only_moves_forward(
    register: Callable[..., Ledger], n_jobs: int
) -> None:
    machine = type("Machine", (JobMachine,), {"register": staticmethod(register)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=n_jobs, stateful_step_count=30, deadline=None)
    )
