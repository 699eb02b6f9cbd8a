"""What holds for shards in every kind of place."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal.shared.errors import SettingsError, ShardLostError, ShardsUnavailableError, UsageError
from shoal.shared.server.places import check_place, find_place
from shoal.shared.settings import Settings
from shoal.shared.shards import FileShards, RedisShards, Shards, find_id
from shoal.shared.shards.place import ID_NAME
from shoal.shared.store import Ledger
from shoal.shared.store.keys import JobKeys

pytestmark = pytest.mark.each_place

NAME = "jobs/5f0e/features/000012-abc-def"


def test_what_was_written_is_read(place: Shards) -> None:
    place.write(NAME, [b"first", memoryview(b" second"), b""])
    assert place.read(NAME) == b"first second"


def test_a_shard_of_the_same_name_is_replaced(place: Shards) -> None:
    place.write(NAME, [b"before, and longer"])
    place.write(NAME, [b"after"])
    assert place.read(NAME) == b"after"


def test_a_shard_that_exists_is_not_created_again(place: Shards) -> None:
    assert place.create(NAME, b"first")
    assert not place.create(NAME, b"second")
    assert place.read(NAME) == b"first"


def test_one_of_many_creates_a_shard(place: Shards) -> None:
    made: list[bool] = []
    threads = [Thread(target=lambda: made.append(place.create(NAME, b"x"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]


def test_parts_of_a_shard_are_read(place: Shards) -> None:
    place.write(NAME, [b"0123456789"])
    assert place.read_ranges(NAME, [(2, 3), (0, 1), (9, 1), (4, 0), (0, 0)]) == [
        *(b"234", b"0", b"9"),
        *(b"", b""),
    ]


def test_a_shorter_shard_is_lost(place: Shards) -> None:
    place.write(NAME, [b"0123456789"])
    with pytest.raises(ShardLostError, match=NAME):
        place.read_ranges(NAME, [(8, 3)])


def test_a_missing_shard_is_lost(place: Shards) -> None:
    with pytest.raises(ShardLostError, match=NAME):
        place.read(NAME)
    with pytest.raises(ShardLostError, match=NAME):
        place.read_ranges(NAME, [(0, 1)])


def test_what_fails_half_way_leaves_what_was_there(place: Shards) -> None:
    place.write(NAME, [b"before"])

    def parts() -> Any:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.write(NAME, parts())
    assert place.read(NAME) == b"before"
    assert list(place.names("jobs")) == [NAME]


def test_deleted_shards_are_gone(place: Shards) -> None:
    place.write(NAME, [b"x"])
    place.write("jobs/other/labels/1", [b"y"])
    place.delete([NAME, "jobs/none/labels/2"])
    assert list(place.names("jobs")) == ["jobs/other/labels/1"]
    assert list(place.folders("jobs")) == ["jobs/other"]


def test_names_and_folders_are_sorted_as_whole_names(place: Shards) -> None:
    names = ["cache/a-1", "cache/a/1", "jobs/1/a/1", "jobs/1/b/1", "jobs/1/c", "jobs/12/a/1"]
    for name in reversed(names):
        place.write(name, [b"x"])
    assert list(place.names("")) == sorted([*names, ID_NAME])
    assert list(place.names("jobs/1")) == ["jobs/1/a/1", "jobs/1/b/1", "jobs/1/c"]
    assert list(place.names("jobs/1/a")) == ["jobs/1/a/1"]
    assert list(place.names("nothing/here")) == []
    assert list(place.folders("jobs/1")) == ["jobs/1/a", "jobs/1/b"]
    assert list(place.folders("")) == ["cache", "jobs"]
    assert list(place.folders("nothing")) == []


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../b", ".x", "a//b", "a/", "ä", "*"]
)
def test_other_names_are_refused(place: Shards, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a shard"):
        place.write(name, [b"x"])
    with pytest.raises(ValueError, match="no name of a shard"):
        place.path(name)


def test_a_place_keeps_its_id(place: Shards) -> None:
    assert len(find_id(place)) == 16
    assert find_id(place) == find_id(place)


def test_an_empty_id_as_a_power_failure_leaves_it_is_replaced(place: Shards) -> None:
    place.write(ID_NAME, [b""])
    assert len(find_id(place)) == 16
    assert find_id(place) == find_id(place)


def test_the_place_of_a_job_is_told_from_others(
    register: Callable[..., Ledger], place: Shards, redis: Any, tmp_path: Path
) -> None:
    job_id = register().job_id
    check_place(redis, job_id, place)
    other = FileShards(tmp_path / "other")
    find_id(other)
    with pytest.raises(UsageError, match="not the same place") as caught:
        check_place(redis, job_id, other)
    assert place.url in str(caught.value)


def test_a_directory_that_is_not_mounted_is_waited_for_and_gets_no_id(
    redis: Any, tmp_path: Path
) -> None:
    mounted, not_mounted = FileShards(tmp_path / "mounted"), FileShards(tmp_path / "empty")
    not_mounted.root.mkdir()
    noted = {"place": find_id(mounted), "place_url": mounted.url}
    redis.hset(JobKeys("5f0e").job, mapping=noted)
    with pytest.raises(ShardsUnavailableError, match="mount it"):
        check_place(redis, "5f0e", not_mounted)
    assert list(not_mounted.root.iterdir()) == []


def test_files_may_be_mapped(place: Shards) -> None:
    place.write(NAME, [b"mapped"])
    path = place.path(NAME)
    assert (path is not None) == place.maps_files
    assert path is None or path.read_bytes() == b"mapped"


names = st.lists(st.sampled_from(["a", "b-1", "c.x"]), min_size=1, max_size=3).map("/".join)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shards=st.dictionaries(names.map("jobs/1/".__add__), st.binary(max_size=99), max_size=6))
def test_any_shards_are_kept(place: Shards, shards: dict[str, bytes]) -> None:
    # A name is not that of a folder, too.
    shards = {n: d for n, d in shards.items() if not any(o.startswith(f"{n}/") for o in shards)}
    place.delete(list(place.names("jobs")))
    for name, data in shards.items():
        place.write(name, [data])
    assert list(place.names("jobs")) == sorted(shards)
    assert {name: place.read(name) for name in place.names("jobs")} == shards


def test_a_job_of_another_id_has_other_keys(redis: Any) -> None:
    place = RedisShards(redis)
    place.write(NAME, [b"x"])
    assert redis.keys() == [b"shoal:{5f0e}:shard:features/000012-abc-def"]
    assert 0 < redis.ttl("shoal:{5f0e}:shard:features/000012-abc-def") <= 600


def test_a_directory_that_is_not_mounted_any_more_refuses(tmp_path: Path) -> None:
    place = FileShards(tmp_path / "mounted")
    find_id(place)
    place.write(NAME, [b"x"])
    (tmp_path / "mounted").rename(tmp_path / "elsewhere")
    (tmp_path / "mounted").mkdir()
    with pytest.raises(ShardsUnavailableError, match="mount it"):
        place.read(NAME)
    with pytest.raises(ShardsUnavailableError, match="mount it"):
        place.write(NAME, [b"y"])
    (tmp_path / "mounted" / ".writing").rmdir()
    (tmp_path / "mounted").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "mounted")
    assert place.read(NAME) == b"x"


def test_a_place_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ShardsUnavailableError, match="continues by itself"):
        find_id(FileShards(tmp_path / "file"))


def test_a_full_disk_refuses_and_keeps_nothing() -> None:
    place = FileShards(Path("/dev/full"))
    with pytest.raises(ShardsUnavailableError, match=r"/dev/full"):
        place.create(NAME, b"x")


KILLED = """
import os, sys
from pathlib import Path
from shoal.shared.shards import FileShards
def parts():
    yield b"half" * 2**20
    print("written", flush=True)
    sys.stdin.read()
FileShards(Path(sys.argv[1])).write(sys.argv[2], parts())
"""


def test_a_killed_process_leaves_no_half_of_a_shard(tmp_path: Path) -> None:
    place = FileShards(tmp_path)
    find_id(place)
    command = [sys.executable, "-c", KILLED, str(tmp_path), NAME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert list(place.names("jobs")) == []
    (left,) = (tmp_path / ".writing").iterdir()
    place.delete([])
    assert left.exists()  # its process may still be writing
    os.utime(left, (0, 0))
    place.delete([])
    assert not left.exists()


def test_the_setting_counts_before_the_embedded_server(tmp_path: Path, redis: Any) -> None:
    def find(*, is_embedded: bool, url: str | None = None) -> Shards:
        settings = Settings(home=tmp_path / "home", shards_url=url)
        return find_place(settings, redis, is_embedded=is_embedded)

    assert find(is_embedded=False).url == "Redis"
    assert find(is_embedded=True).url == f"file://{tmp_path}/home/shards"
    assert find(is_embedded=True, url=f"file://{tmp_path}/two%20words").path("x") == (
        tmp_path / "two words" / "x"
    )


@pytest.mark.parametrize(
    "url", ["/data", "file://host/data", "file:data", "ftp://x/y", "file:///a?b", "file://[x"]
)
def test_other_urls_are_refused(redis: Any, url: str) -> None:
    with pytest.raises(SettingsError, match="SHOAL_SHARDS_URL"):
        find_place(Settings(shards_url=url), redis, is_embedded=False)


def test_a_job_that_has_its_shards_elsewhere_is_refused_with_the_remedy(
    tmp_path: Path, redis: Any
) -> None:
    here, there = FileShards(tmp_path / "here"), FileShards(tmp_path / "there")
    job = JobKeys("5f0e").job
    with pytest.raises(UsageError, match=r"in Redis, .* an earlier version of Shoal, submit"):
        check_place(redis, "5f0e", here)
    check_place(redis, "5f0e", None)
    redis.hset(job, mapping={"place": find_id(there), "place_url": there.url})
    find_id(here)
    for other in (here, None):
        with pytest.raises(UsageError, match=rf"in {there.url}, .*: mount that directory there"):
            check_place(redis, "5f0e", other)
    check_place(redis, "5f0e", there)


def test_a_directory_whose_content_is_gone_is_told_from_one_elsewhere(
    tmp_path: Path, redis: Any
) -> None:
    place = FileShards(tmp_path / "here")
    redis.hset(JobKeys("5f0e").job, mapping={"place": find_id(place), "place_url": place.url})
    (tmp_path / "here" / "shoal-shards-id").unlink()
    find_id(place)  # of the next job
    with pytest.raises(UsageError, match=r"not the same place: .* its content is gone, submit"):
        check_place(redis, "5f0e", place)
