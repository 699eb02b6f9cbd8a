"""Images that earlier jobs have seen: what is loaded again, and that labels stay the same."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shoal.shared.errors import ShardsUnavailableError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import read_file
from shoal.shared.jobs import State, Wave
from shoal.shared.server.places import find_cache_place
from shoal.shared.shards import FileShards, find_id
from shoal.shared.store import Ledger
from shoal.worker.images import loading as images_loading
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.cache import keys, opening, row_cache, upkeep
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading import reading
from shoal.worker.stages.loading.loading import load_batch

SMALL: dict[str, Any] = {"image_size": 8, "clusters": 3}
MOST_BYTES = 2**30

Run = Callable[..., Ledger]


@pytest.fixture
def caching(context: WorkerContext, tmp_path: Path) -> WorkerContext:
    """A worker with an empty cache."""
    settings = replace(context.settings, home=tmp_path / "home", cache_bytes=MOST_BYTES)
    return replace(context, settings=settings)


@pytest.fixture
def folder(tmp_path: Path, mixed: Path) -> Path:
    """40 digits, one of them stretched, and three broken files, of which one is empty."""
    directory = Path(shutil.copytree(mixed, tmp_path / "photographs"))
    Image.open(directory / "150.png").resize((24, 8)).save(directory / "150.png")
    return directory


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may be trusted at once: a test has no time to wait until they are settled."""
    monkeypatch.setattr(keys, "RACY_SECONDS", 0.0)


class Watched:
    """The names of the files that are opened, and the number of those that are decoded."""

    def __init__(self) -> None:
        self.opened = set[str]()
        self.decoded = 0

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched()
    read, decode = read_file, images_loading.decode_content

    def note_opened(path: Any, limits: Any) -> bytes:
        watched.opened.add(Path(path).name)
        return read(path, limits)

    def note_decoded(*arguments: Any) -> Any:
        watched.decoded += 1
        return decode(*arguments)

    monkeypatch.setattr(images_loading, "read_file", note_opened)
    monkeypatch.setattr(images_loading, "decode_content", note_decoded)
    return watched


@pytest.fixture
def load_all(submit: Run, caching: WorkerContext, watched: Watched) -> Run:
    """Loads a folder as a new job; ``watched`` has what that took."""

    def load_all(directory: Path, context: WorkerContext = caching, **options: Any) -> Ledger:
        ledger = submit(directory, **{**SMALL, **options})
        watched.clear()
        for batch in range(context.results(ledger.job_id).n_batches()):
            load_batch(context, ledger.job_id, batch, False)
        return ledger

    return load_all


@pytest.fixture
def find(caching: WorkerContext) -> Callable[[Ledger], Any]:
    """Ends a job that is loaded; returns its labels, failures, thumbnails and duplicates."""

    def find(ledger: Ledger) -> Any:
        fit_job(caching, ledger.job_id)
        results = caching.results(ledger.job_id)
        for batch in range(results.n_batches()):
            label_batch(caching, ledger.job_id, batch, False)
        finish_job(caching, ledger.job_id)
        assert ledger.state() is State.FINISHED
        lists = (results.assignments(), results.failures(), results.thumbnails())
        return [[list(one) for one in lists], list(results.duplicates())]

    return find


@pytest.fixture
def plain(load_all: Run, find: Callable[[Ledger], Any]) -> Callable[..., Any]:
    """What a folder gives without the cache."""
    return lambda directory, **options: find(load_all(directory, cache=False, **options))


def known(ledger: Ledger) -> int:
    return ledger.status().images.known


def records_of(context: WorkerContext) -> list[Path]:
    home = context.settings.home
    assert home
    return sorted((home / "shards" / "cache").glob("*/records/*"))


def test_the_second_job_of_a_folder_opens_only_the_file_without_content(
    folder: Path, load_all: Run, find: Any, watched: Watched
) -> None:
    first = load_all(folder)
    assert (known(first), watched.decoded) == (0, 42)
    second = load_all(folder)
    assert (known(second), watched.decoded) == (42, 0)
    assert watched.opened == {"000-empty.png"}
    assert find(second) == find(first)


def test_a_folder_that_has_grown_costs_what_is_new(
    folder: Path, load_all: Run, find: Any, plain: Any, watched: Watched, digits: Path
) -> None:
    load_all(folder)
    for number in (7, 250, 299):  # batches have other images than before
        shutil.copy(digits / f"{number:03}.png", folder)
    grown = load_all(folder)
    assert (known(grown), watched.decoded) == (42, 3)
    assert find(grown) == plain(folder)
    assert known(load_all(folder)) == 45


@pytest.mark.parametrize("features", ["pixels", "color", "hog+lbp", "embedding"])
def test_labels_are_the_same_with_any_features(
    folder: Path, load_all: Run, find: Any, plain: Any, features: str
) -> None:
    options = {"features": features, "image_size": 32}
    load_all(folder, **options)
    (folder / "135.png").unlink()  # rows move to other batches
    again = load_all(folder, **options)
    assert known(again) == 41
    assert find(again) == plain(folder, **options)


def test_moved_and_renamed_files_are_read_and_not_decoded(
    folder: Path, load_all: Run, find: Any, plain: Any, watched: Watched, tmp_path: Path
) -> None:
    load_all(folder)
    moved = folder.rename(tmp_path / "elsewhere")
    (moved / "131.png").rename(moved / "zzz.PNG")
    ledger = load_all(moved)
    assert (known(ledger), watched.decoded) == (42, 0)
    assert len(watched.opened) == 43
    assert find(ledger) == plain(moved)
    load_all(moved)
    assert watched.opened == {"000-empty.png"}  # from then on they are known as they are


def test_a_touched_file_is_read_and_not_decoded(
    folder: Path, load_all: Run, watched: Watched
) -> None:
    load_all(folder)
    (folder / "131.png").touch()
    assert known(load_all(folder)) == 42
    assert (watched.opened, watched.decoded) == ({"000-empty.png", "131.png"}, 0)


def test_a_file_that_was_replaced_with_its_size_and_time_is_loaded(
    folder: Path, load_all: Run, find: Any, plain: Any, watched: Watched
) -> None:
    load_all(folder)
    path = folder / "131.png"
    before = path.stat()
    content = bytearray((folder / "132.png").read_bytes())
    content += bytes(max(0, before.st_size - len(content)))
    path.write_bytes(content[: before.st_size] if len(content) > before.st_size else content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    ledger = load_all(folder)
    assert watched.opened == {"000-empty.png", "131.png"}
    assert watched.decoded == 1
    assert find(ledger) == plain(folder)


def test_a_file_that_changed_just_now_is_not_trusted(
    folder: Path, load_all: Run, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "RACY_SECONDS", 3600.0)
    load_all(folder)
    again = load_all(folder)
    assert (known(again), watched.decoded) == (42, 0)  # its content is known all the same
    assert len(watched.opened) == 43


def test_a_file_that_changes_while_it_is_read_is_not_trusted(
    folder: Path, load_all: Run, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_after(path: Any, limits: Any) -> bytes:
        content = read_file(path, limits)
        if Path(path).name == "131.png":
            shutil.copy(folder / "132.png", path)
        return content

    with monkeypatch.context() as patch:
        patch.setattr(images_loading, "read_file", change_after)
        load_all(folder)
    load_all(folder)
    assert watched.opened == {"000-empty.png", "131.png"}


def test_a_file_that_is_replaced_before_a_subprocess_decodes_it_counts_as_it_was_read(
    folder: Path,
    load_all: Run,
    find: Callable[[Ledger], Any],
    plain: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_it_was = plain(folder)
    path = folder / "131.png"
    kept = Path(shutil.copy(path, folder.parent))

    def replace_after(asked: Any, limits: Any) -> bytes:
        content = read_file(asked, limits)
        if Path(asked) == path:
            shutil.copy(folder / "132.png", path)
        return content

    with monkeypatch.context() as patch:
        patch.setattr(reading, "LOST_PROCESSES", 0)
        patch.setattr(reading, "read_file", replace_after)
        assert find(load_all(folder)) == as_it_was
    shutil.copy(kept, path)
    again = load_all(folder)
    assert known(again) == 42
    assert find(again) == as_it_was


def test_images_of_other_options_are_not_known(folder: Path, load_all: Run) -> None:
    load_all(folder)
    for options in ({"image_size": 16}, {"features": "color"}):
        assert known(load_all(folder, **options)) == 0
        assert known(load_all(folder, **options)) == 42


def test_images_of_other_clusters_are_known(folder: Path, load_all: Run) -> None:
    load_all(folder)
    assert known(load_all(folder, clusters=5, components=2, random_state=3, batch_size=7)) == 42


def test_limits_hold_for_known_images(folder: Path, load_all: Run, caching: WorkerContext) -> None:
    load_all(folder)
    strict = replace(caching, settings=replace(caching.settings, max_image_pixels=10))
    ledger = load_all(folder, strict)
    assert known(ledger) == 0
    assert ledger.status().images.failed == 43


def test_images_that_needed_more_memory_are_tried_again_where_there_is_more(
    folder: Path, load_all: Run, caching: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def want_memory(*_: Any) -> None:
        # As the decoders of WebP and JPEG 2000 do.
        raise UnreadableImageError(FailureReason.DAMAGED, "broken data stream")

    little = replace(caching, settings=replace(caching.settings, image_memory=2**26))
    with monkeypatch.context() as patch:
        patch.setattr(images_loading, "decode_content", want_memory)
        assert load_all(folder, little).status().images.failed == 43
    assert known(load_all(folder, little)) == 42
    assert load_all(folder).status().images.failed == 3


def test_a_known_image_that_a_link_leads_out_of_the_roots_is_refused(
    folder: Path, load_all: Run, caching: WorkerContext, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.png"
    (folder / "131.png").rename(outside)
    (folder / "131.png").symlink_to(outside)
    load_all(folder)
    settings = replace(caching.settings, image_roots=(folder.resolve(),))
    ledger = load_all(folder, replace(caching, settings=settings))
    failures = {f.path: f.reason for f in caching.results(ledger.job_id).failures()}
    assert failures["131.png"] == "outside-roots"
    assert known(ledger) == 41


def test_a_job_may_do_without_the_cache(
    folder: Path, load_all: Run, caching: WorkerContext, watched: Watched
) -> None:
    load_all(folder, cache=False)
    assert records_of(caching) == []
    load_all(folder)
    assert known(load_all(folder, cache=False)) == 0
    assert watched.decoded == 42


def test_a_retry_of_failed_images_tries_them_again(
    folder: Path, load_all: Run, find: Any, caching: WorkerContext, watched: Watched
) -> None:
    load_all(folder)
    ledger = load_all(folder)
    find(ledger)
    shutil.copy(folder / "131.png", folder / "150-broken.png")
    watched.clear()
    for batch in ledger.retry(failed_only=True):
        load_batch(caching, ledger.job_id, batch, False)
    assert watched.opened == {"000-empty.png", "150-broken.png", "999-late.png"}
    assert ledger.status().images.failed == 2


def test_equal_files_are_known_by_one_row(
    folder: Path, load_all: Run, find: Any, plain: Any
) -> None:
    for number in range(12):
        shutil.copy(folder / "131.png", folder / f"131-{number}.png")
    first = load_all(folder)
    second = load_all(folder)
    assert known(second) == 54
    assert find(second) == find(first) == plain(folder)


def grey16(path: Path, most: int) -> None:
    values = np.linspace(0, most, 64, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(values).save(path)


def test_deep_images_are_known_as_long_as_black_and_white_stay(
    tmp_path: Path, load_all: Run, watched: Watched, caching: WorkerContext
) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    for number in range(6):
        grey16(folder / f"{number}.png", 4000 + number)
    load_all(folder, clusters=2)
    assert known(load_all(folder, clusters=2)) == 6
    grey16(folder / "brighter.png", 60_000)
    ledger = load_all(folder, clusters=2)
    assert (known(ledger), watched.decoded) == (0, 7)
    plain = load_all(folder, cache=False, clusters=2)
    rows, expected = (caching.results(job.job_id).features(0) for job in (ledger, plain))
    assert rows == expected
    assert known(load_all(folder, clusters=2)) == 7


@pytest.mark.parametrize("damage", ["bits", "end", "all"])
def test_damaged_rows_are_found_and_made_again(
    folder: Path, load_all: Run, find: Any, plain: Any, caching: WorkerContext, damage: str
) -> None:
    load_all(folder)
    victim = records_of(caching)[1]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    match damage:
        case "bits":
            victim.write_bytes(content)
        case "end":
            victim.write_bytes(content[:100])
        case "all":
            victim.unlink()
    ledger = load_all(folder)
    assert 20 < known(ledger) < 42
    assert find(ledger) == plain(folder)
    assert known(load_all(folder)) == 42


def test_a_damaged_index_costs_its_rows(
    folder: Path, load_all: Run, find: Any, plain: Any, caching: WorkerContext
) -> None:
    load_all(folder)
    records = records_of(caching)[1]
    index = records.parents[1] / "index" / records.name
    index.write_bytes(index.read_bytes()[:-1])
    row_cache._open_cache.cache_clear()  # another process
    ledger = load_all(folder)
    assert 20 < known(ledger) < 42
    assert find(ledger) == plain(folder)
    assert known(load_all(folder)) == 42


def test_two_jobs_at_once_use_one_cache(
    folder: Path, submit: Run, caching: WorkerContext, find: Any, plain: Any, load_all: Run
) -> None:
    jobs = [submit(folder, **SMALL) for _ in range(2)]
    for batch in range(caching.results(jobs[0].job_id).n_batches()):
        for ledger in jobs:
            load_batch(caching, ledger.job_id, batch, False)
    assert find(jobs[0]) == find(jobs[1]) == plain(folder)
    assert known(load_all(folder)) == 42


def test_rows_that_another_process_merges_meanwhile_stay_known(
    folder: Path,
    submit: Run,
    load_all: Run,
    caching: WorkerContext,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load_all(folder)
    ledger = submit(folder, **SMALL)
    watched.clear()
    load_batch(caching, ledger.job_id, 0, False)
    of_this_process = row_cache.find_cache(caching)
    row_cache._open_cache.cache_clear()
    with monkeypatch.context() as another_process:
        another_process.setattr(upkeep, "MOST_SMALL", 2)
        load_all(folder)
    assert len(records_of(caching)) == 1
    monkeypatch.setattr(opening, "find_cache", lambda _: of_this_process)
    for batch in range(1, caching.results(ledger.job_id).n_batches()):
        load_batch(caching, ledger.job_id, batch, False)
    assert (known(ledger), watched.decoded) == (42, 0)


def test_rows_of_a_batch_whose_process_was_lost_are_used_by_its_next_attempt(
    folder: Path,
    submit: Run,
    caching: WorkerContext,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = submit(folder, batch_size=22, **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(type(ledger.batches), "commit_loading", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_batch(caching, ledger.job_id, 0, False)
    ledger.client.unlink(ledger.keys.running(Wave.LOADING))  # its heartbeat has ended
    watched.clear()
    load_batch(caching, ledger.job_id, 0, True)
    assert (known(ledger), watched.decoded) == (21, 0)


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_place_that_refuses_costs_the_cache_and_no_job(
    folder: Path,
    load_all: Run,
    find: Any,
    plain: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = plain(folder)

    write = FileShards.write

    def refuse(shards: FileShards, name: str, parts: Any) -> None:
        if name.startswith("cache/"):  # the job's own shards may be in the same place
            raise ShardsUnavailableError("full")
        write(shards, name, parts)

    with monkeypatch.context() as patch:
        patch.setattr(FileShards, "write", refuse)
        ledger = load_all(folder)
    assert caplog.messages.count("the cache cannot be used: full") == 1
    assert find(ledger) == expected
    assert known(load_all(folder)) == 0


def test_the_cache_stays_within_its_bytes(
    folder: Path, load_all: Run, find: Any, plain: Any, caching: WorkerContext
) -> None:
    most = 60_000  # of 42 rows of some 3,300 bytes
    bounded = replace(caching, settings=replace(caching.settings, cache_bytes=most))
    for options in ({}, {"image_size": 9}, {}):
        ledger = load_all(folder, bounded, **options)
        sizes = sum(path.stat().st_size for path in cache_files(caching))
        assert 20_000 < sizes <= most
    assert find(ledger) == plain(folder)


def cache_files(context: WorkerContext) -> list[Path]:
    assert context.settings.home
    found = (context.settings.home / "shards" / "cache").rglob("*")
    return [path for path in found if path.is_file()]


@pytest.mark.each_place
def test_rows_are_known_in_each_place(
    folder: Path,
    load_all: Run,
    find: Any,
    plain: Any,
    caching: WorkerContext,
    shards_url: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where Redis has the shards, they are files of the machine."""
    monkeypatch.setattr(upkeep, "MOST_SMALL", 2)
    worker = replace(caching, settings=replace(caching.settings, shards_url=shards_url))
    load_all(folder, worker)
    shutil.copy(folder / "131.png", folder / "new.png")
    grown = load_all(folder, worker)
    assert known(grown) == 43
    assert find(grown) == plain(folder)
    place = find_cache_place(worker.settings)
    assert place.url == (shards_url or place.url)
    assert len([name for name in place.names("cache") if "/index/" in name]) <= 2
    row_cache._open_cache.cache_clear()  # another process
    assert known(load_all(folder, worker)) == 43


def test_machines_with_one_place_share_what_they_know(
    folder: Path, load_all: Run, caching: WorkerContext, tmp_path: Path
) -> None:
    shared = replace(caching.settings, shards_url=(tmp_path / "shared").as_uri())
    find_id(find_cache_place(shared))  # as whoever submits does
    load_all(folder, replace(caching, settings=shared))
    other_machine = replace(caching, settings=replace(shared, home=tmp_path / "other"))
    assert known(load_all(folder, other_machine)) == 42
    assert not (tmp_path / "home").exists()
