"""What a job needs is worked out before it begins, and what cannot fit is refused."""

from pathlib import Path

import pytest
from quick import make_quick_request

from shoal.producer.submission.admission import admit
from shoal.producer.submission.batches import split_batches
from shoal.producer.submission.estimate import Estimate, allocated, estimate_memory
from shoal.shared.errors import UsageError
from shoal.shared.server.embedded import Disk
from shoal.shared.text import show_bytes

GIGABYTE = 2**30
NEEDS = Estimate(redis_bytes=3 * GIGABYTE, fit_bytes=GIGABYTE)


def estimate(n_batches=10, batch_size=512, allocator="libc", fit_memory=GIGABYTE, **options):
    batches = [[f"{b}/{n:06}.jpg" for n in range(batch_size)] for b in range(n_batches)]
    request = make_quick_request(**options)
    return estimate_memory(request, batches, fit_memory, {"mem_allocator": allocator})


def test_features_are_most_of_what_a_job_needs():
    needed = estimate(n_batches=100).redis_bytes
    features = 100 * 512 * 3072
    assert features < needed < 1.25 * features
    assert estimate(n_batches=100, image_size=64).redis_bytes > 3.5 * needed


@pytest.mark.parametrize("derived", [{"model_of": "0123456789ab"}, {"keep_model": True}])
def test_a_model_of_another_job_is_stored_beside_the_jobs_own(derived):
    options = {"features": "pixels", "image_size": 260, "components": 50}
    model = (4 * 50 + 16) * 3 * 260**2
    more = estimate(**options, **derived).redis_bytes - estimate(**options).redis_bytes
    assert more == pytest.approx(model, abs=100)


def test_small_batches_at_a_jobs_end_count_as_what_they_are():
    paths = [f"{n:06}.jpg" for n in range(4000)]
    needed = [
        estimate_memory(
            make_quick_request(),
            split_batches(paths, 250, tapered=tapered),
            GIGABYTE,
            {"mem_allocator": "libc"},
        ).redis_bytes
        for tapered in (False, True)
    ]
    # Six batches more, each with its own sums and keys.
    assert needed[0] < needed[1] < 1.03 * needed[0]


@pytest.mark.parametrize(
    ("value", "taken"),
    # As MEMORY USAGE had them with jemalloc 5.3, less the key's own.
    [(5000, 5120), (49_160, 57_344), (98_304, 114_688), (1_572_864, 1_835_008)],
)
def test_jemalloc_rounds_up_to_a_quarter_of_a_power_of_two(value, taken):
    assert allocated(value, rounds=True) == taken
    assert allocated(value, rounds=False) == value + 16


def test_the_fit_grows_with_the_images_up_to_its_limit():
    small, large, huge = (estimate(n, fit_memory=50_000_000).fit_bytes for n in (1, 10, 100))
    assert small < large < huge
    assert huge == estimate(200, fit_memory=50_000_000).fit_bytes


def disk(free_bytes: int | None = 2**40) -> Disk:
    return Disk(Path("/home/me/shoal/data"), free_bytes)


@pytest.mark.parametrize(
    ("memory", "free"),
    [
        ({"used_memory": GIGABYTE, "maxmemory": 5 * GIGABYTE}, "4.0 GB"),
        ({"used_memory": GIGABYTE, "maxmemory": 4 * GIGABYTE}, "3.0 GB"),
        ({"used_memory": GIGABYTE, "maxmemory": 0, "total_system_memory": 2**35}, "31.0 GB"),
    ],
)
def test_what_fits_is_told_in_a_line(memory, free):
    assert admit(NEEDS, memory, None).message == (
        f"The job needs about 3.0 GB in Redis and 1.0 GB for the fit; Redis has {free} left."
    )


def test_with_the_embedded_server_the_line_tells_of_this_machine_and_its_disk():
    memory = {"used_memory": GIGABYTE, "total_system_memory": 2**35}
    assert admit(NEEDS, memory, disk()).message == (
        "The job needs about 3.0 GB in the embedded server and 1.0 GB for the fit; this machine's"
        " memory has 31.0 GB left; the disk of /home/me/shoal/data has 1024.0 GB left."
    )


@pytest.mark.parametrize(
    ("memory_gigabytes", "disk_gigabytes", "is_near"),
    [(8, 6, False), (7.9, 6, True), (8, 5.9, True), (4, 3, True), (100, None, False)],
)
def test_only_a_job_that_takes_more_than_half_of_what_is_left_is_near_a_limit(
    memory_gigabytes, disk_gigabytes, is_near
):
    memory = {"used_memory": 0, "total_system_memory": int(memory_gigabytes * GIGABYTE)}
    free = disk_gigabytes and int(disk_gigabytes * GIGABYTE)
    assert admit(NEEDS, memory, disk(free)).is_near is is_near


def test_a_redis_with_too_low_a_limit_names_the_remedies():
    memory = {"used_memory": GIGABYTE, "maxmemory": 2 * GIGABYTE, "total_system_memory": 2**35}
    with pytest.raises(UsageError) as refused:
        admit(NEEDS, memory, None)
    for part in (
        "needs about 3.0 GB in Redis",
        "Redis has 1.0 GB left",
        "raise maxmemory (2.0 GB)",
        "`image_size`",
        "SHOAL_FEATURES_SECONDS",
        "machine with more memory",
    ):
        assert part in str(refused.value)


def test_without_a_limit_the_machine_is_one():
    memory = {"used_memory": GIGABYTE, "maxmemory": 0, "total_system_memory": 3 * GIGABYTE}
    with pytest.raises(UsageError, match=r"2\.0 GB left: use features with fewer numbers"):
        admit(NEEDS, memory, None)


def test_an_embedded_fit_takes_its_memory_from_the_same_machine():
    memory = {"used_memory": 0, "total_system_memory": int(3.5 * GIGABYTE)}
    assert admit(NEEDS, memory, None)
    with pytest.raises(UsageError, match="lower SHOAL_FIT_MEMORY"):
        admit(NEEDS, memory, disk())


def test_a_disk_without_room_for_the_embedded_servers_data_names_its_directory_and_remedies():
    memory = {"used_memory": 0, "total_system_memory": 100 * GIGABYTE}
    assert admit(NEEDS, memory, disk(3 * GIGABYTE))
    with pytest.raises(UsageError) as refused:
        admit(NEEDS, memory, disk(2 * GIGABYTE))
    for part in (
        "the disk of /home/me/shoal/data has 2.0 GB left: make room there",
        "SHOAL_HOME",
        "`image_size`",
    ):
        assert part in str(refused.value)


@pytest.mark.parametrize("memory", [{}, {"used_memory": 1}, {"maxmemory": 1}])
def test_a_server_that_hides_its_memory_and_its_disk_refuses_nothing(memory):
    admission = admit(NEEDS, memory, disk(None))
    assert admission.message.endswith("1.0 GB for the fit.")
    assert not admission.is_near


def test_buffers_that_do_not_count_are_not_counted():
    memory = {"used_memory": GIGABYTE, "maxmemory": 4 * GIGABYTE}
    assert admit(NEEDS, {**memory, "mem_not_counted_for_evict": GIGABYTE}, None)


def test_bytes_are_shown_in_a_fitting_unit():
    shown = [show_bytes(n) for n in (1, 2**20, 1_600_000, 2**30)]
    assert shown == ["1 KB", "1.0 MB", "1.5 MB", "1.0 GB"]


SHARDED = Estimate(redis_bytes=GIGABYTE, fit_bytes=GIGABYTE, shards_bytes=3 * GIGABYTE)


def test_shards_on_the_disk_of_the_server_count_with_its_data():
    memory = {"used_memory": 0, "total_system_memory": 2**35}
    both = Disk(Path("/home/me/shoal/data"), 5 * GIGABYTE, 1)
    shards = Disk(Path("/home/me/shoal/shards"), 5 * GIGABYTE, 1)
    assert admit(SHARDED, memory, both, shards).message == (
        "The job needs about 1.0 GB in the embedded server, 3.0 GB in shards and 1.0 GB for the"
        " fit; this machine's memory has 32.0 GB left; the disk of /home/me/shoal/data has 5.0 GB"
        " left."
    )
    with pytest.raises(UsageError, match=r"the disk of /home/me/shoal/data has 3.9 GB left"):
        admit(SHARDED, memory, Disk(both.directory, int(3.9 * GIGABYTE), 1), shards)


def test_shards_on_a_disk_of_their_own_are_held_against_that():
    memory = {"used_memory": 0, "maxmemory": 2**35}
    with pytest.raises(UsageError, match=r"the disk of /mnt has 2.0 GB left: .*SHOAL_SHARDS_URL"):
        admit(SHARDED, memory, None, Disk(Path("/mnt"), 2 * GIGABYTE, 2))
    assert admit(SHARDED, memory, None, Disk(Path("/mnt"), 7 * GIGABYTE, 2)).is_near is False
    assert admit(SHARDED, memory, None, None).message.endswith("Redis has 32.0 GB left.")


def test_features_in_shards_take_no_memory_of_redis():
    batches = [[f"{b}/{n:06}.jpg" for n in range(512)] for b in range(100)]
    request = make_quick_request()
    beside, within = (
        estimate_memory(request, batches, GIGABYTE, {}, shards_in_redis=in_redis)
        for in_redis in (False, True)
    )
    assert beside.shards_bytes > 100 * 512 * 3072
    assert beside.redis_bytes < within.redis_bytes / 5
    assert within.shards_bytes == 0
