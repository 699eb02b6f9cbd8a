"""The ledger's scripts for batches: each is done once, whatever messages say."""

import pytest
from polling import wait_until
from shards import commit_features

from shoal.shared.errors import ShardLostError
from shoal.shared.jobs import State, Wave
from shoal.shared.shards import Shards
from shoal.shared.store import Commit, JobShards, Kind, Ledger, Registry
from shoal.shared.store.batches import SILENT_SECONDS
from shoal.shared.store.counts import BATCH_SECONDS

pytestmark = [pytest.mark.each_server, pytest.mark.each_place]

LOADING, LABELLING = Wave.LOADING, Wave.LABELLING

place_of_test: Shards


@pytest.fixture(autouse=True)
def _note_place(place):
    global place_of_test
    place_of_test = place


def shards_of(ledger):
    return JobShards(ledger.client, ledger.job_id, place_of_test)


def features_of(ledger, batch=0):
    shards = shards_of(ledger)
    return bytes(shards.read(shards.name(Kind.FEATURES, batch)))


def written(ledger):
    """Names of all shards of the job, whether they count or not."""
    return list(place_of_test.names(f"jobs/{ledger.job_id}"))


def start(ledger, batch=0, wave=LOADING, *, redelivered=False):
    """Begin a batch; return the number of the attempt, or None."""
    attempt = ledger.batches.start(wave, batch, redelivered)
    return attempt and attempt.number


def commit(ledger, batch=0, loaded=3, failed=1):
    notes = {ledger.keys.shapes: b"{}"}
    return commit_features(shards_of(ledger), ledger, batch, b"features", (loaded, failed), notes)


def is_broken(ledger):
    return "chord_broken" in ledger.fields()


def silence(ledger, seconds=20, wave=LOADING):
    """Let this time have passed since the last heartbeats."""
    key = ledger.keys.running(wave)
    for batch in ledger.client.zrange(key, 0, -1):
        ledger.client.zincrby(key, -seconds, batch)


def time_left(ledger, batch=0):
    """Seconds until a batch counts as lost."""
    return ledger.client.zscore(ledger.keys.running(LOADING), batch) - Registry(ledger.client).now()


def enter_labelling(ledger, n_batches=2):
    for batch in range(n_batches):
        start(ledger, batch)
        commit(ledger, batch)
    lease = ledger.acquire_lease(LOADING)
    assert ledger.advance(lease, State.LABELLING, {})


def test_the_first_batch_starts_the_job(register):
    ledger = register()
    assert start(ledger) == 1
    status = ledger.status()
    assert status.state is State.LOADING
    assert status.started_at >= status.created_at
    start(ledger, 1)
    assert ledger.status().started_at == status.started_at


def test_labelling_does_not_begin_while_the_job_is_loading(register):
    ledger = register()
    assert start(ledger, wave=LABELLING) is None
    assert ledger.state() is State.QUEUED
    start(ledger)
    assert start(ledger, wave=LABELLING) is None


def test_a_batch_of_a_stage_that_is_over_is_not_begun(register):
    ledger = register()
    enter_labelling(ledger)
    assert start(ledger, 0) is None
    assert start(ledger, 0, redelivered=True) is None
    assert start(ledger, 0, LABELLING) == 1


@pytest.mark.parametrize("batch", [-1, 2, 10**12])
def test_a_batch_that_the_job_does_not_have_is_not_begun(register, batch):
    ledger = register(2)
    assert ledger.batches.start(LOADING, batch, redelivered=False) is None
    assert ledger.state() is State.QUEUED


def test_what_is_noted_of_a_batch_comes_with_its_beginning(register):
    ledger = register()
    manifest, shapes = hashes = [ledger.keys.manifest, ledger.keys.shapes]
    paths = ledger.client.hget(manifest, "0")
    attempt = ledger.batches.start(LOADING, 0, redelivered=False, hashes=hashes)
    assert attempt.values == {manifest: paths, shapes: None}
    silence(ledger)
    enter_labelling(ledger)
    attempt = ledger.batches.start(LABELLING, 0, redelivered=False, hashes=[shapes])
    assert attempt.values == {shapes: b"{}"}


def test_a_batch_of_a_cancelled_job_is_not_begun(register):
    ledger = register()
    ledger.cancel()
    assert start(ledger) is None


def test_a_committed_batch_is_not_begun_again_and_its_chord_stays_whole(register):
    ledger = register()
    start(ledger)
    commit(ledger)
    assert start(ledger) is None
    assert start(ledger, redelivered=True) is None
    assert not is_broken(ledger)


def test_a_second_copy_steps_aside_while_the_first_runs_and_breaks_the_chord(register):
    ledger = register()
    assert start(ledger) == 1
    assert start(ledger) is None
    assert is_broken(ledger)


def test_a_redelivered_batch_takes_over_from_a_silent_holder(register):
    ledger = register()
    assert start(ledger) == 1
    silence(ledger, SILENT_SECONDS + 1)
    assert start(ledger) is None
    ledger.client.hdel(ledger.keys.job, "chord_broken")
    assert start(ledger, redelivered=True) == 2
    assert not is_broken(ledger)


def test_a_redelivered_batch_steps_aside_for_a_holder_that_lives(register):
    ledger = register()
    start(ledger)
    assert start(ledger, redelivered=True) is None
    assert is_broken(ledger)
    assert ledger.batches.beat(LOADING, 0)
    assert time_left(ledger) > 10


def test_a_holder_that_may_be_dead_has_little_time_to_give_a_sign(register):
    ledger = register()
    start(ledger)
    start(ledger, redelivered=True)
    assert 0 < time_left(ledger) <= SILENT_SECONDS
    silence(ledger, SILENT_SECONDS)
    assert ledger.batches.take_lost(LOADING) == [0]


def lose_at_once(ledger, batch=0):
    """Have the process that has a batch die so that all of its lease is over."""
    ledger.client.zadd(ledger.keys.running(LOADING), {batch: ledger.client.time()[0]})


def test_a_batch_that_is_lost_again_and_again_is_sent_after_ever_longer_pauses(register):
    ledger = register()
    pauses = []
    for _ in range(12):
        assert start(ledger)
        lose_at_once(ledger)
        lost_at, pause = ledger.client.time()[0], 0
        # The broker's own delivery of what a dead process had does not shorten the pause.
        while not ledger.batches.take_lost(LOADING):
            assert pause == 0 or start(ledger, redelivered=True) is None
            pause = 2 * pause or 1
            ledger.client.zadd(ledger.keys.running(LOADING), {0: lost_at - pause})
        pauses.append(pause)
    assert pauses[:2] == [0, 0]
    assert pauses[2:10] == [1, 2, 4, 8, 16, 32, 64, 64]


def test_a_batch_that_was_given_back_is_sent_at_once_however_often(register):
    ledger = register()
    for _ in range(12):
        assert start(ledger)
        lose_at_once(ledger)
        ledger.batches.give_back(LOADING, 0)
        assert ledger.batches.take_lost(LOADING) == [0]


def test_a_batch_is_lost_by_its_holders_lease_whoever_looks(register):
    ledger = register()
    hasty = Ledger(ledger.client, ledger.job_id, 0.01)
    start(ledger)
    assert hasty.batches.take_lost(LOADING) == []
    start(hasty, 1)
    wait_until(lambda: ledger.batches.take_lost(LOADING) == [1])


def test_a_copy_takes_over_once_the_sign_of_life_is_stale(register):
    ledger = register()
    start(Ledger(ledger.client, ledger.job_id, 0.05))
    wait_until(lambda: start(ledger) == 2)


def test_attempts_are_counted_for_each_batch_and_stage(register):
    ledger = register()
    assert [(start(ledger), silence(ledger))[0] for _ in range(3)] == [1, 2, 3]
    assert start(ledger, 1) == 1
    enter_labelling(ledger)
    assert start(ledger, 0, LABELLING) == 1


def test_a_heartbeat_keeps_a_batch_and_stops_with_the_job(register):
    ledger = register()
    start(ledger)
    key = ledger.keys.running(LOADING)
    ledger.client.zincrby(key, -20, 0)
    assert ledger.batches.beat(LOADING, 0)
    assert ledger.batches.take_lost(LOADING) == []
    ledger.cancel()
    assert not ledger.batches.beat(LOADING, 0)


def test_a_heartbeat_does_not_bring_back_a_batch_that_was_given_away(register):
    ledger = register()
    start(ledger)
    silence(ledger)
    ledger.batches.take_lost(LOADING)
    ledger.batches.beat(LOADING, 0)
    assert not ledger.batches.has_running(LOADING)
    assert ledger.batches.missing(LOADING) == [0, 1]


def test_a_commit_stores_output_and_counts_in_one_step(redis, register):
    ledger = register()
    start(ledger)
    assert commit(ledger) is Commit.COMMITTED
    images = ledger.status().images
    assert (images.loaded, images.failed) == (3, 1)
    assert features_of(ledger) == b"features"
    assert redis.hgetall(ledger.keys.shapes) == {b"0": b"{}"}
    assert not ledger.batches.has_running(LOADING)
    assert ledger.batches.missing(LOADING) == [1]


def test_a_shard_that_does_not_count_is_gone_after_the_commit(register):
    ledger = register()
    start(ledger)
    assert [commit(ledger), commit(ledger)] == [Commit.COMMITTED, Commit.DUPLICATE]
    ledger.cancel()
    assert commit(ledger, 1) is Commit.STALE
    assert written(ledger) == [f"jobs/{ledger.job_id}/{shards_of(ledger).name(Kind.FEATURES, 0)}"]


def test_a_commit_whose_reply_was_lost_is_known_again_even_in_the_next_state(register):
    ledger, calls = register(1), []

    def send(names):
        calls.append(lambda: ledger.batches.commit_loading(0, names, (1, 0), {}))
        calls[0]()
        assert ledger.acquire_lease(LOADING)
        return calls[0]()  # as the client does when the first reply does not come

    start(ledger)
    commit = shards_of(ledger).commit(0, "token", {Kind.FEATURES: [b"features"]}, send)
    assert commit is Commit.COMMITTED
    assert features_of(ledger) == b"features"
    assert ledger.status().images.loaded == 1


def test_the_shards_of_another_batch_or_attempt_have_other_names(register):
    ledger = register()
    first = ledger.batches.start(LOADING, 0, redelivered=False)
    silence(ledger)
    second = ledger.batches.start(LOADING, 0, redelivered=True)
    assert first.token != second.token
    assert first.token[:8] == second.token[:8] or int(first.token[:8], 16) < int(
        second.token[:8], 16
    )


def test_a_commit_whose_shard_redis_has_lost_is_refused_and_the_batch_stays(redis, register, place):
    if place.url != "Redis":
        pytest.skip("the ledger sees no files and objects: whoever reads them does")
    ledger = register()
    start(ledger)
    before = ledger.fields()

    def send(names):
        redis.delete(*redis.keys(f"*{ledger.job_id}*:shard:*"))
        return ledger.batches.commit_loading(0, names, (1, 0), {})

    commit_lost = shards_of(ledger).commit(0, "token", {Kind.FEATURES: [b"features"]}, send)
    assert commit_lost is Commit.STALE
    assert ledger.fields() == before
    assert commit(ledger) is Commit.COMMITTED


def test_a_damaged_shard_is_told_from_a_whole_one_and_deleted(register, place):
    ledger = register()
    start(ledger)
    commit(ledger)
    shards = shards_of(ledger)
    name = shards.name(Kind.FEATURES, 0)
    place.write(f"jobs/{ledger.job_id}/{name}", [b"featureS"])
    with pytest.raises(ShardLostError, match="damaged"):
        shards.read(name)
    with pytest.raises(ShardLostError, match="missing"):
        shards.read(name)
    assert shards.find_lost(Kind.FEATURES) == {0: name}


def test_a_shard_that_is_too_short_for_a_range_is_deleted(register, place):
    ledger = register()
    start(ledger)
    commit(ledger)
    shards = shards_of(ledger)
    name = shards.name(Kind.FEATURES, 0)
    whole = f"jobs/{ledger.job_id}/{name}"
    assert shards.read_ranges(name, [(0, 4), (4, 4)]) == [b"feat", b"ures"]
    place.write(whole, [b"feat"])
    with pytest.raises(ShardLostError, match=f"^Shard {whole} is missing or incomplete"):
        shards.read_ranges(name, [(0, 4), (4, 4)])
    assert shards.find_lost(Kind.FEATURES) == {0: name}


def test_a_commit_is_whole_on_a_redis_that_forgot_its_scripts(redis, register):
    ledger = register()
    start(ledger)
    redis.script_flush()
    assert commit(ledger) is Commit.COMMITTED
    assert features_of(ledger) == b"features"


@pytest.mark.parametrize("work", [start, commit])
def test_beginning_and_committing_are_signs_of_life_of_the_job(redis, register, work):
    ledger = register()
    start(ledger, 1)
    redis.hset(ledger.keys.job, "active_at", 0)
    work(ledger, 0)
    assert float(ledger.fields()["active_at"]) >= ledger.status().created_at


def test_a_batch_counts_once_however_often_it_is_committed(register):
    ledger = register()
    start(ledger)
    silence(ledger)
    start(ledger)
    verdicts = [commit(ledger), commit(ledger, loaded=4, failed=0), commit(ledger)]
    assert verdicts == [Commit.COMMITTED, Commit.DUPLICATE, Commit.DUPLICATE]
    images = ledger.status().images
    assert (images.loaded, images.failed) == (3, 1)
    assert ledger.fields()["loading_done"] == "1"


def test_a_late_commit_changes_nothing(redis, register):
    ledger = register()
    enter_labelling(ledger)
    before = ledger.fields()
    assert commit(ledger) is Commit.STALE
    assert ledger.fields() == before


def test_a_commit_after_cancelling_leaves_no_output(redis, register):
    ledger = register()
    start(ledger)
    ledger.cancel()
    assert commit(ledger) is Commit.STALE
    assert written(ledger) == []
    assert ledger.status().images.loaded == 0


def test_the_last_batch_of_a_whole_chord_leaves_the_callback_to_it(register):
    ledger = register(2)
    verdicts = [(start(ledger, batch), commit(ledger, batch))[1] for batch in (0, 1)]
    assert verdicts == [Commit.COMMITTED, Commit.COMMITTED]
    assert "loading_ended_at" in ledger.fields()


@pytest.mark.parametrize("break_chord", [Ledger.distrust_chord, start])
def test_the_last_batch_of_a_broken_chord_is_told_so(register, break_chord):
    ledger = register(2)
    start(ledger, 0)
    break_chord(ledger)
    start(ledger, 1)
    assert [commit(ledger, batch) for batch in (1, 0)] == [Commit.COMMITTED, Commit.LAST]


def test_each_lost_batch_is_taken_once(register):
    ledger = register(3)
    for batch in range(3):
        start(ledger, batch)
    commit(ledger, 1)
    assert ledger.batches.take_lost(LOADING) == []
    assert not is_broken(ledger)
    silence(ledger)
    assert ledger.batches.take_lost(LOADING) == [0, 2]
    assert ledger.batches.take_lost(LOADING) == []
    assert is_broken(ledger)


def test_an_attempt_that_failed_is_counted_and_the_batch_is_sent_again_soon(register):
    ledger = register()
    start(ledger)
    ledger.batches.end_attempt(LOADING, 0, "ValueError: odd")
    assert ledger.batches.last_error(LOADING, 0) == "ValueError: odd"
    assert ledger.batches.take_lost(LOADING) == [0]
    assert is_broken(ledger)
    assert start(ledger) == 2


def test_an_attempt_that_fails_after_another_is_done_does_not_begin_it_anew(register):
    ledger = register(2)
    start(ledger)
    commit(ledger)
    ledger.batches.end_attempt(LOADING, 0, "ValueError: odd")
    assert not ledger.batches.has_running(LOADING)
    assert ledger.batches.take_lost(LOADING) == []


def test_an_attempt_that_redis_was_to_blame_for_does_not_count(register):
    ledger = register()
    for _ in range(3):
        assert start(ledger) == 1
        ledger.batches.end_attempt(LOADING, 0, None)
        assert ledger.batches.take_lost(LOADING) == []
        silence(ledger)
    assert ledger.batches.last_error(LOADING, 0) is None


def test_a_batch_that_is_handed_back_is_begun_anew_at_once_and_was_no_attempt(register):
    ledger = register()
    start(ledger)
    ledger.batches.give_back(LOADING, 0)
    assert is_broken(ledger)
    assert ledger.batches.take_lost(LOADING) == [0]
    assert start(ledger) == 1


@pytest.mark.parametrize(
    "end",
    [
        lambda ledger: ledger.batches.give_back(LOADING, 0),
        lambda ledger: ledger.batches.end_attempt(LOADING, 0, "ValueError: odd"),
    ],
    ids=["returned", "failed"],
)
def test_a_sign_of_life_that_comes_late_does_not_keep_a_batch_for_nobody(register, end):
    ledger = register()
    start(ledger)
    end(ledger)
    ledger.batches.beat(LOADING, 0)
    assert ledger.batches.take_lost(LOADING) == [0]


def test_a_batch_that_was_given_away_or_ended_is_not_handed_back(redis, register):
    ledger = register()
    start(ledger)
    silence(ledger)
    ledger.batches.take_lost(LOADING)
    ledger.batches.give_back(LOADING, 0)
    assert not ledger.batches.has_running(LOADING)
    assert start(ledger) == 2
    ledger.cancel()
    ledger.batches.give_back(LOADING, 0)
    assert redis.hgetall(ledger.keys.attempts(LOADING)) == {b"0": b"2"}


def test_an_attempt_that_ends_after_its_job_leaves_nothing(redis, register):
    ledger = register()
    start(ledger)
    ledger.cancel()
    ledger.batches.end_attempt(LOADING, 0, "late")
    assert not redis.exists(ledger.keys.errors(LOADING))


def test_a_job_is_failed_in_the_middle_of_its_stage_and_of_no_other(register):
    ledger = register()
    start(ledger)
    assert not ledger.fail_wave(LABELLING, "why")
    assert ledger.fail_wave(LOADING, "why")
    status = ledger.status()
    assert (status.state, status.error) == (State.FAILED, "why")
    assert status.finished_at is not None


def test_labels_are_committed_without_counting_images(redis, register):
    ledger = register()
    enter_labelling(ledger)
    before = ledger.status().images
    start(ledger, 0, LABELLING)
    assert ledger.batches.commit_labelling(0, b"rows") is Commit.COMMITTED
    assert ledger.batches.commit_labelling(0, b"rows") is Commit.DUPLICATE
    assert redis.hget(ledger.keys.labels, "0") == b"rows"
    assert ledger.status().images == before
    assert ledger.status().progress == pytest.approx(0.915)


def test_the_time_of_a_batch_counts_once_and_only_if_its_output_does(register, registry):
    ledger = register()
    for seconds in (1.5, 7.0):
        start(ledger)
        ledger.batches.commit_loading(0, {}, (1, 0), {}, seconds)
    start(ledger, 1)
    ledger.batches.commit_loading(1, {}, (1, 0), {ledger.keys.shapes: b"{}"})
    times = registry.counts().histogram(BATCH_SECONDS, LOADING)
    assert (times.seconds, times.buckets[-1]) == (1.5, ("+Inf", 1))
    assert ledger.client.hget(ledger.keys.shapes, "1") == b"{}"
