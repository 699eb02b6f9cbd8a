"""Search and recommendation among the images of a job, wherever its shards are."""

import io
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from servers import Server
from sklearn.datasets import load_digits

from shoal.producer.job import Job
from shoal.producer.local.workers import LocalWorkers
from shoal.producer.search import projection
from shoal.shared.errors import NotFinishedError, ShardLostError, ShoalError, UsageError
from shoal.shared.findings import FailureReason, Match
from shoal.shared.redis.connection import connect
from shoal.shared.settings import Settings
from shoal.shared.store import Kind, Ledger, Registry
from shoal.shared.store.projections import NewImage, Projections
from shoal.shared.sweeper import Sweeper
from shoal.worker.images.loading import decode_content
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.projecting import MOST_ATTEMPTS, project_images

# A product of one row rounds otherwise than that of a batch; distances here are about 10.
ROUNDING = 1e-3
SMALL = {"image_size": 8, "clusters": 3, "components": 4}


class DirectMessages:
    """Does what a message asks for, as a worker's task does."""

    def __init__(self, context: WorkerContext) -> None:
        self.context = context

    def send_projection(self, job_id: str, token: str) -> None:
        project_images(self.context, job_id, token, "message")


@pytest.fixture
def make_job(
    submit: Callable[..., Ledger],
    run: Callable[[Ledger], Ledger],
    context: WorkerContext,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Job]:
    """Clusters a folder, and returns its job with a worker for new images."""
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})
    sweeper = context.sweeper

    def make(folder: Path, **options: Any) -> Job:
        messages: Any = DirectMessages(context)
        asked = Sweeper(sweeper.registry, sweeper.settings, messages, sweeper.place)
        return Job(run(submit(folder, **{**SMALL, **options})), asked)

    return make


@pytest.fixture
def job(make_job: Callable[..., Job], mixed: Path) -> Job:
    """A job of 40 digits and 3 broken files in 5 batches."""
    return make_job(mixed)


@pytest.fixture
def copies(tmp_path: Path, digits: Path) -> Path:
    """Twelve digits, and two copies of the first of them."""
    folder = tmp_path / "copies"
    (folder / "more").mkdir(parents=True)
    for path in sorted(digits.iterdir())[:12]:
        (folder / path.name).write_bytes(path.read_bytes())
    for name in ("copy.png", "more/000.png"):
        (folder / name).write_bytes((folder / "000.png").read_bytes())
    return folder


def compare_all(job: Job, *paths: str) -> list[tuple[str, float]]:
    """All other images by their distance to the nearest of ``paths``, then by path."""
    rows, points = list(job.labels()), job.coordinates().astype(float)
    given = [number for number, row in enumerate(rows) if row.path in paths]
    distances = np.linalg.norm(points[:, None] - points[given], axis=2).min(axis=1)
    others = [(float(d), n) for n, d in enumerate(distances) if n not in given]
    return [(rows[n].path, d) for d, n in sorted(others)]


def reasons_of(projections: Projections, token: str) -> list[FailureReason | None]:
    """Why each image of a question cannot be used; None if it can."""
    answer = projections.find_answer(token)
    assert answer is not None
    return [part.reason for part in answer.projections]


def paths_of(matches: list[Match]) -> list[str]:
    return [match.path for match in matches]


@pytest.mark.each_place
def test_the_nearest_images_are_found_with_rank_distance_and_cluster(job: Job) -> None:
    found = job.search("140.png", count=7, duplicates=True)
    expected = compare_all(job, "140.png")[:7]
    assert paths_of(found) == [path for path, _ in expected]
    np.testing.assert_allclose([m.distance for m in found], [d for _, d in expected], rtol=1e-6)
    assert [match.rank for match in found] == list(range(1, 8))
    labels = {row.path: row.label for row in job.labels()}
    assert all(match.label == labels[match.path] for match in found)


def test_several_examples_find_what_is_near_to_any(job: Job) -> None:
    found = job.search("140.png", "165.png", count=50, duplicates=True)
    assert paths_of(found) == [path for path, _ in compare_all(job, "140.png", "165.png")]
    assert len(found) == 38


def test_a_distance_bounds_what_is_found_and_may_leave_nothing(job: Job) -> None:
    third = job.search("140.png", count=3, duplicates=True)[2]
    within = job.search("140.png", max_distance=third.distance * 1.000001, duplicates=True)
    assert len(within) == 3
    assert job.search("140.png", max_distance=0) == []


def test_of_a_group_of_duplicates_one_is_found_unless_all_are_wanted(
    make_job: Callable[..., Job], copies: Path
) -> None:
    job = make_job(copies)
    group = {"000.png", "copy.png", "more/000.png"}
    assert [path in group for path in paths_of(job.search("005.png"))].count(True) == 1
    assert group <= set(paths_of(job.search("005.png", duplicates=True)))
    # What is given, and what counts as the same, does not come back.
    assert not group & set(paths_of(job.search("copy.png")))
    both = job.search("copy.png", duplicates=True)
    assert paths_of(both)[:2] == ["000.png", "more/000.png"]
    assert [match.distance for match in both[:2]] == [0, 0]


def test_an_image_of_the_job_may_be_named_by_its_path_on_disk(
    job: Job, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = job.search("140.png")
    assert job.search(mixed / "140.png") == expected
    link = tmp_path / "link.png"
    link.symlink_to(mixed / "140.png")
    assert job.search(link) == expected
    monkeypatch.chdir(mixed)
    assert job.search("140.png") == job.search("./140.png") == expected


def test_a_name_of_two_images_is_refused_with_what_to_write_instead(
    job: Job, mixed: Path, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "140.png").write_bytes((digits / "007.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"another file .* './140.png'"):
        job.search("140.png")
    assert job.search("./140.png", count=1) != job.search(mixed / "140.png", count=1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "at least one"),
        (["999.png"], "no image '999.png', and there is no such file"),
        (["000-empty.png"], "could not be used .empty: 0 bytes"),
        ([os.devnull], "not-a-file"),
        ([["140.png", "141.png"]], "a path, a number or bytes, and not a list"),
    ],
)
def test_what_cannot_be_searched_by_is_refused(job: Job, given: Any, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        job.search(*given)


@pytest.mark.parametrize("options", [{"count": 0}, {"count": 2.5}, {"max_distance": -1}])
def test_options_that_cannot_work_are_refused(job: Job, options: Any) -> None:
    with pytest.raises(UsageError, match="or more"):
        job.search("140.png", **options)


def test_a_job_that_has_not_finished_is_refused(
    submit: Callable[..., Ledger], mixed: Path, context: WorkerContext
) -> None:
    with pytest.raises(NotFinishedError, match="is queued"):
        Job(submit(mixed, **SMALL), context.sweeper).search("140.png")


@pytest.mark.each_place
def test_lost_coordinates_are_told_with_the_remedy(job: Job) -> None:
    shards = job.results.shards
    name = shards.name(Kind.COORDINATES, 3)
    shards.place.delete([f"jobs/{job.id}/{name}"])
    with pytest.raises(ShardLostError, match="force=True"):
        job.search("140.png")


def test_expired_coordinates_are_told(job: Job, redis: Any) -> None:
    redis.unlink(job.ledger.keys.shards(Kind.COORDINATES))
    with pytest.raises(NotFinishedError, match="any more"):
        job.search("140.png")


def test_a_new_image_lies_where_the_job_would_have_put_it(
    job: Job, mixed: Path, tmp_path: Path
) -> None:
    content = (mixed / "140.png").read_bytes()
    (tmp_path / "new.png").write_bytes(content)
    (first, *_) = found = job.search(tmp_path / "new.png", count=3)
    assert first.path == "140.png"
    assert first.distance < ROUNDING
    assert job.search(content, count=3) == found
    assert paths_of(found[1:]) == paths_of(job.search("140.png", count=2))


def test_an_image_may_be_named_by_a_number_of_numpy(job: Job) -> None:
    number = job.catalogue().number("140.png")
    given: Any = np.int64(number)
    assert job.search(given) == job.search(number) == job.search("140.png")


def test_new_images_and_images_of_the_job_search_together(job: Job, mixed: Path) -> None:
    content = (mixed / "165.png").read_bytes()
    together = job.search("140.png", content, count=50, duplicates=True)
    assert together[0].path == "165.png"
    assert paths_of(together[1:]) == paths_of(
        job.search("140.png", "165.png", count=50, duplicates=True)
    )


def test_a_deep_image_is_shown_as_the_job_shows_its_own(
    make_job: Callable[..., Job], tmp_path: Path
) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        values = random.integers(0, 4096 if number else 1000, (16, 16)).astype(np.uint16)
        Image.fromarray(values).save(folder / f"{number:02}.png")
    job = make_job(folder)
    (first, *_) = job.search((folder / "00.png").read_bytes())
    assert first.path == "00.png"
    assert first.distance < ROUNDING


@pytest.mark.parametrize(
    ("content", "expected"), [(b"no image", "not-an-image"), (b"\x89PNG\r\n\x1a\n", "damaged")]
)
def test_a_new_image_that_cannot_be_used_is_named(
    job: Job, tmp_path: Path, redis: Any, content: bytes, expected: str
) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(UsageError, match=f"bad.png cannot be used: {expected}"):
        job.search(tmp_path / "bad.png")
    assert list(redis.scan_iter(match="*question*")) == []
    assert list(redis.scan_iter(match="*answer*")) == []


def test_a_new_image_beyond_the_limit_is_not_sent(job: Job, tmp_path: Path) -> None:
    job.sweeper.settings = replace(job.sweeper.settings, max_image_bytes=10)
    (tmp_path / "large.png").write_bytes(bytes(11))
    with pytest.raises(UsageError, match=r"large.png cannot be used: too-many-bytes, 11 bytes"):
        job.search(tmp_path / "large.png")


def test_content_beyond_the_limit_is_not_sent_either(job: Job) -> None:
    job.sweeper.settings = replace(job.sweeper.settings, max_image_bytes=10)
    with pytest.raises(UsageError, match=r"too-many-bytes, 11 bytes, of 10 allowed"):
        job.search(bytes(11))


@pytest.mark.parametrize("image", ["140.png", b"\1\2", Path("140.png")])
def test_one_image_in_place_of_a_list_is_refused(job: Job, image: Any) -> None:
    with pytest.raises(UsageError, match=r"`like` is a list of images"):
        job.recommend(image)
    with pytest.raises(UsageError, match=r"`dislike` is a list of images"):
        job.recommend(["140.png"], image)


def test_without_a_worker_a_new_image_is_refused_at_once(job: Job, mixed: Path) -> None:
    job.ensure_running = lambda: False
    with pytest.raises(UsageError, match="No worker is running"):
        job.search((mixed / "140.png").read_bytes())


def test_an_image_that_ended_its_processes_is_given_up(
    job: Job, mixed: Path, context: WorkerContext, redis: Any
) -> None:
    projections = Projections(redis, job.id)
    token = projections.ask([NewImage((mixed / "140.png").read_bytes(), "png")])
    for _ in range(MOST_ATTEMPTS):
        projections.count_attempt(token, 0)
    project_images(context, job.id, token, "message")
    assert reasons_of(projections, token) == [FailureReason.KILLED_DECODER]


def test_only_the_image_that_ended_its_processes_is_given_up(
    job: Job, mixed: Path, context: WorkerContext, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = ((mixed / name).read_bytes() for name in ("140.png", "141.png"))

    def decode(content: bytes, *rest: Any) -> Any:
        if content == bad:
            raise SystemExit  # as if the process were lost
        return decode_content(content, *rest)

    monkeypatch.setattr("shoal.worker.stages.projecting.decode_content", decode)
    projections = Projections(redis, job.id)
    token = projections.ask([NewImage(good), NewImage(bad), NewImage(good)])
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(SystemExit):
            project_images(context, job.id, token, "message")
    project_images(context, job.id, token, "message")
    assert reasons_of(projections, token) == [None, FailureReason.KILLED_DECODER, None]


def test_a_question_that_is_sent_again_is_left_to_the_process_that_answers_it(
    job: Job, mixed: Path, context: WorkerContext, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    projections = Projections(redis, job.id)
    token = projections.ask([NewImage((mixed / "140.png").read_bytes())])
    meanwhile = list[str]()

    def decode(*rest: Any) -> Any:
        if not meanwhile:
            meanwhile.append(token)
            for number in range(MOST_ATTEMPTS + 1):
                project_images(context, job.id, token, f"again {number}")
            assert projections.find_answer(token) is None
        return decode_content(*rest)

    monkeypatch.setattr("shoal.worker.stages.projecting.decode_content", decode)
    project_images(context, job.id, token, "first")
    assert meanwhile
    assert reasons_of(projections, token) == [None]


def test_a_message_that_has_lost_its_process_is_answered_by_the_next(
    job: Job, mixed: Path, context: WorkerContext, redis: Any
) -> None:
    projections = Projections(redis, job.id)
    token = projections.ask([NewImage((mixed / "140.png").read_bytes())])
    assert projections.claim(token, "lost", 60)
    project_images(context, job.id, token, "another")
    assert projections.find_answer(token) is None
    project_images(context, job.id, token, "lost")
    assert reasons_of(projections, token) == [None]


def test_many_new_images_are_sent_some_at_a_time(
    job: Job, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [(mixed / name).read_bytes() for name in ("140.png", "141.png", "150.png")]
    expected = job.search(*contents)
    asked = list[int]()
    ask = Projections.ask

    def count(projections: Projections, images: Any) -> str:
        asked.append(len(images))
        return ask(projections, images)

    monkeypatch.setattr(Projections, "ask", count)
    monkeypatch.setattr(projection, "PORTION_BYTES", len(contents[0]) + len(contents[1]))
    assert job.search(*contents) == expected
    assert asked == [2, 1]


def test_a_question_that_was_withdrawn_is_not_answered_and_leaves_nothing(
    job: Job, context: WorkerContext, redis: Any
) -> None:
    projections = Projections(redis, job.id)
    token = projections.ask([NewImage(b"no image")])
    projections.withdraw(token)
    project_images(context, job.id, token, "message")
    assert projections.find_answer(token) is None
    projections.count_attempt(token, 0)
    assert 0 < redis.pttl(job.ledger.keys.question(token)) <= 600_000


def test_a_worker_that_has_another_model_says_so(
    job: Job, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise UsageError("The workers' models differ.")

    monkeypatch.setattr("shoal.worker.stages.projecting.check_same", refuse)
    with pytest.raises(ShoalError, match="models differ"):
        job.search((mixed / "140.png").read_bytes())


def test_recommended_are_others_than_what_was_given(job: Job) -> None:
    given = ["140.png", "141.png"], ["150.png"]
    for rocchio in (False, True):
        found = job.recommend(*given, count=50, rocchio=rocchio, duplicates=True)
        assert len(found) == len(set(paths_of(found))) == 37
        assert not {"140.png", "141.png", "150.png"} & set(paths_of(found))
        assert [match.rank for match in found] == list(range(1, 38))


def test_recommending_needs_a_like(job: Job) -> None:
    with pytest.raises(UsageError, match="liked"):
        job.recommend([], ["140.png"])


def measure_precision(job: Job, kinds: dict[str, int], n_trials: int) -> Any:
    """Share of the same kind among the first 20: by one like, by three, and with dislikes.

    Dislikes are wrong images among the first 20 of those by three likes, and others at random. So
    that they themselves make no difference, what they are compared with is recommended without
    them.
    """
    random, paths = np.random.default_rng(0), np.array(list(kinds))
    labels = np.array(list(kinds.values()))
    shares = []
    for _ in range(n_trials):
        kind = random.integers(10)
        likes = random.choice(paths[labels == kind], 3, replace=False).tolist()

        def share(found: list[str], kind: int = int(kind)) -> float:
            return float(np.mean([kinds[path] == kind for path in found[:20]]))

        one = paths_of(job.search(likes[0], duplicates=True))
        three = paths_of(job.recommend(likes, count=25, duplicates=True))
        others = random.choice(paths[labels != kind], 3, replace=False).tolist()
        row = [share(one), share(three)]
        for dislikes in ([p for p in three[:20] if kinds[p] != kind][:3] or others, others):
            without = [path for path in three if path not in dislikes]
            with_dislikes = job.recommend(likes, dislikes, duplicates=True)
            row += [share(without), share(paths_of(with_dislikes))]
        shares.append(row)
    return np.mean(shares, axis=0)


def test_likes_and_dislikes_recommend_more_of_the_same_kind(
    make_job: Callable[..., Job], digits: Path
) -> None:
    job = make_job(digits, components=30)
    paths = [row.path for row in job.labels()]
    kinds = dict(zip(paths, load_digits().target[:300].tolist(), strict=True))
    one, three, without_wrong, wrong, without_others, others = measure_precision(job, kinds, 60)
    assert three >= one
    assert wrong >= without_wrong
    assert others >= without_others


def open_sheet(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_a_sheet_shows_each_match_from_its_file_or_from_its_thumbnail(
    make_job: Callable[..., Job], mixed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(mixed, folder)
    job = make_job(folder, image_size=32)
    matches = job.search("140.png", count=7, duplicates=True)
    from_files = open_sheet(job.draw_sheet(matches))
    assert from_files.shape[0] > 2 * 200
    shutil.rmtree(folder)
    from_thumbnails = open_sheet(job.draw_sheet(matches))
    assert from_thumbnails.shape == from_files.shape
    # A thumbnail is enlarged; a file of 8 pixels is shown as it is.
    tile = from_thumbnails[12:212, 12:212]
    assert tile.std() > 20
    assert (from_thumbnails < 64).sum() > (from_files < 64).sum()


def test_a_sheet_does_without_pictures_that_are_lost(
    make_job: Callable[..., Job], mixed: Path, tmp_path: Path, redis: Any
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(mixed, folder)
    job = make_job(folder)
    matches = job.search("140.png", count=2)
    shutil.rmtree(folder)
    redis.unlink(job.ledger.keys.shards(Kind.THUMBNAILS))
    assert (open_sheet(job.draw_sheet(matches))[13:211, 13:211] == 224).all()


def test_a_sheet_of_nothing_is_refused(job: Job) -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        job.draw_sheet([])


def test_a_sheet_of_too_many_is_refused_with_how_many_it_shows(job: Job) -> None:
    with pytest.raises(UsageError, match=r"at most 1,000 .* are 1,002: find fewer, `count=1000`"):
        job.draw_sheet(job.search("140.png", count=3) * 334)


def test_whether_workers_run_is_told_and_a_redis_that_is_gone_is_no_failure(
    registry: Registry, own_server: Server
) -> None:
    workers = LocalWorkers(registry, Settings(), may_start=False)
    assert not workers.ensure_running()
    registry.note_worker("elsewhere")
    assert workers.ensure_running()
    gone = LocalWorkers(Registry(connect(own_server.url, retries=0)), Settings(), may_start=False)
    assert gone.ensure_running()  # whoever goes on is told
