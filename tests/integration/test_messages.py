"""Messages: what Celery puts into the queues."""

import json
from base64 import b64decode

import pytest
from celery import chord

from shoal.shared.errors import ConnectionLostError
from shoal.shared.jobs import Wave
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import connect
from shoal.shared.store.keys import CELERY, queue_keys
from shoal.shared.tasks import (
    BATCH_TASK,
    BATCHES,
    CALLBACK_TASK,
    CALLBACKS,
    PROTOCOL,
    PROTOCOL_HEADER,
    SWEEP,
    priority_of,
)

pytestmark = pytest.mark.each_server


def read_queue(redis, queue):
    """The messages of a queue, in the order of their delivery: headers and body."""
    raw_messages = (raw for key in queue_keys(queue) for raw in reversed(redis.lrange(key, 0, -1)))
    messages = [json.loads(raw) for raw in raw_messages]
    return [(message["headers"], json.loads(b64decode(message["body"]))) for message in messages]


@pytest.mark.parametrize("n_batches", [1, 3])
@pytest.mark.parametrize(
    ("wave", "task", "callback"),
    [
        (Wave.LOADING, "shoal.load_batch", "shoal.fit_job"),
        (Wave.LABELLING, "shoal.label_batch", "shoal.finish_job"),
    ],
)
def test_a_stage_is_a_chord_with_ids_made_from_job_and_batch(
    redis, context, n_batches, wave, task, callback
):
    context.messages.send_wave("job1", wave, n_batches)
    messages = read_queue(redis, BATCHES)
    assert [headers["task"] for headers, _ in messages] == [task] * n_batches
    expected = [f"job1:{wave}:{batch}" for batch in range(n_batches)]
    assert [headers["id"] for headers, _ in messages] == expected
    assert [args for _, (args, _, _) in messages] == [["job1", b] for b in range(n_batches)]
    for _, (_, _, embed) in messages:
        body = embed["chord"]
        assert (body["task"], body["args"], body["immutable"]) == (callback, ["job1"], True)
        assert body["options"]["task_id"] == f"job1:{wave}:callback"
        assert body["options"]["queue"] == CALLBACKS
        (errback,) = body["options"]["link_error"]
        assert (errback["task"], errback["immutable"]) == ("shoal.sweep", True)


def test_no_part_of_a_chord_stores_a_result(redis, context):
    context.messages.send_wave("job1", Wave.LOADING, 3)
    assert all(headers["ignore_result"] for headers, _ in read_queue(redis, BATCHES))


def test_sending_subscribes_to_nothing(redis, context):
    context.messages.send_wave("job1", Wave.LOADING, 20)
    context.messages.send_batches("job1", Wave.LOADING, [1])
    context.messages.send_callback("job1", Wave.LOADING)
    assert redis.pubsub_channels() == []
    assert redis.pubsub_numpat() == 0


def test_a_batch_that_is_sent_again_belongs_to_no_chord(redis, context):
    context.messages.send_batches("job1", Wave.LABELLING, [4, 7])
    messages = read_queue(redis, BATCHES)
    assert [headers["id"] for headers, _ in messages] == ["job1:labelling:4", "job1:labelling:7"]
    assert [embed["chord"] for _, (_, _, embed) in messages] == [None, None]
    assert not any(headers["group"] for headers, _ in messages)


def test_a_callback_goes_to_the_queue_of_callbacks(redis, context):
    context.messages.send_callback("job1", Wave.LOADING)
    ((headers, (args, _, _)),) = read_queue(redis, CALLBACKS)
    assert (headers["task"], args) == ("shoal.fit_job", ["job1"])
    assert read_queue(redis, BATCHES) == []


def test_messages_are_small_whatever_the_size_of_the_job(redis, context):
    context.messages.send_wave("job1", Wave.LOADING, 200)
    sizes = [len(raw) for key in queue_keys(BATCHES) for raw in redis.lrange(key, 0, -1)]
    assert len(sizes) == 200
    assert max(sizes) < 2000


def test_a_small_job_goes_before_the_many_batches_of_a_large_one(app, redis, context):
    context.messages.send_wave("large", Wave.LOADING, 20)
    context.messages.send_wave("small", Wave.LABELLING, 2)
    with app.connection() as connection, connection.channel() as channel:
        delivered = [channel.basic_get(BATCHES).headers["id"] for _ in range(22)]
    assert delivered[:16] == [f"large:loading:{batch}" for batch in range(16)]
    assert delivered[16:18] == ["small:labelling:0", "small:labelling:1"]
    assert delivered[18:] == [f"large:loading:{batch}" for batch in range(16, 20)]


def test_a_batch_that_is_sent_again_keeps_its_priority(redis, context):
    context.messages.send_batches("job1", Wave.LOADING, [0, 15, 16, 128, 5000])
    assert [redis.llen(key) for key in queue_keys(BATCHES)] == [2, 1, 1, 1]


def test_all_that_celery_keeps_carries_our_prefix(redis, context):
    before = set(redis.keys("*"))
    context.messages.send_wave("job1", Wave.LOADING, 3)
    kept = set(redis.keys("*")) - before
    assert kept
    assert all(key.startswith(CELERY.encode()) for key in kept)


def test_counters_of_a_chord_outlive_any_gap_and_expire(redis, context):
    context.messages.send_wave("job1", Wave.LOADING, 3)
    (size,) = redis.keys(f"{CELERY}celery-taskset-meta-*")
    assert redis.ttl(size) > 6 * 86_400


def test_messages_go_to_the_database_of_the_url(redis, server_url):
    elsewhere = f"{server_url}?db=3" if server_url.startswith("unix") else server_url[:-1] + "3"
    with connect(elsewhere) as other:
        Messages(other).send_wave("job1", Wave.LOADING, 2)
        assert redis.keys("*") == []
        assert other.llen(CELERY + BATCHES) == 2


def test_a_server_that_is_away_is_an_error_of_ours(own_server):
    messages = Messages(connect(own_server.url, retries=1))
    for send in (
        lambda: messages.send_wave("job1", Wave.LOADING, 2),
        lambda: messages.send_batches("job1", Wave.LOADING, [0]),
        lambda: messages.send_callback("job1", Wave.LOADING),
    ):
        with pytest.raises(ConnectionLostError, match="does not answer"):
            send()


# Chosen at random, or by the process that sends.
VARYING = ("reply_to", "delivery_tag", "origin", "group", "group_id", "id", "root_id")


def read_all(redis):
    """All messages that wait, decoded, without what differs from one sending to the next."""
    keys = [key for queue in (BATCHES, CALLBACKS) for key in queue_keys(queue)]
    found = {key: [json.loads(raw) for raw in redis.lrange(key, 0, -1)] for key in keys}
    for message in (message for messages in found.values() for message in messages):
        message["body"] = json.loads(b64decode(message["body"]))
        chord = message["body"][2]["chord"] or {"options": {}}
        # Celery makes ids for tasks that are given none.
        is_random = "job1:" not in message["headers"]["id"]
        for part in (message["headers"], message["properties"], chord["options"]):
            for name in VARYING[: None if is_random else -2]:
                part.pop(name, None)
        if is_random:
            del message["properties"]["correlation_id"]
    return found


HEADERS = {PROTOCOL_HEADER: PROTOCOL}


@pytest.mark.parametrize("wave", list(Wave))
def test_messages_are_those_that_celery_would_send(app, redis, context, wave):
    batch, callback = BATCH_TASK[wave], CALLBACK_TASK[wave]

    def sign(number):
        return app.signature(
            batch,
            args=("job1", number),
            queue=BATCHES,
            priority=priority_of(number),
            immutable=True,
            task_id=f"job1:{wave}:{number}",
            ignore_result=True,
            headers=HEADERS,
        )

    of_job = {"queue": CALLBACKS, "immutable": True, "headers": HEADERS}
    body = app.signature(callback, args=("job1",), **of_job)
    alone = body.clone()
    body.link_error(app.signature(SWEEP, **of_job))
    chord([sign(number) for number in range(20)], body, app=app).apply_async(
        task_id=f"job1:{wave}:callback"
    )
    sign(1030).apply_async()
    alone.apply_async()
    expected = read_all(redis)
    assert sum(map(len, expected.values())) == 22
    redis.flushall()
    context.messages.send_wave("job1", wave, 20)
    context.messages.send_batches("job1", wave, [1030])
    context.messages.send_callback("job1", wave)
    assert read_all(redis) == expected


def test_the_parts_of_a_chord_are_one_group_whose_size_is_known(redis, context):
    context.messages.send_wave("job1", Wave.LOADING, 70)
    headers = [headers for headers, _ in read_queue(redis, BATCHES)]
    (group,) = {header["group"] for header in headers}
    assert [header["group_index"] for header in headers] == list(range(70))
    bodies = [embed["chord"] for _, (_, _, embed) in read_queue(redis, BATCHES)]
    assert {body["options"]["group_id"] for body in bodies} == {group}
    assert redis.get(f"{CELERY}celery-taskset-meta-{group}.s") == b"70"
