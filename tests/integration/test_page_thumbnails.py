"""The page's thumbnails: one place decodes, one image at a time, and nobody waits for long."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from polling import wait_until
from slow_decoder import CALLS, GO

from shoal.producer.web import thumbnails
from shoal.producer.web.problems import OverloadedError
from shoal.producer.web.thumbnails import ImageVersion, Thumbnails, find_version
from shoal.shared.errors import UnreadableImageError
from shoal.shared.settings import Settings

PATIENT_SECONDS = 30


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder takes seconds to start on a busy machine."""
    monkeypatch.setattr(thumbnails, "WAIT_SECONDS", PATIENT_SECONDS)


def make(folder: Path, *names: str) -> list[ImageVersion]:
    for name in names:
        (folder / name).write_text(name)
    return [find_version(folder / name) for name in names]


def decoded(folder: Path) -> list[str]:
    """Return the names of the images that the decoder was given, in order."""
    calls = folder / CALLS
    return [line.split()[0] for line in calls.read_text().splitlines()] if calls.exists() else []


def decoder(folder: Path) -> int:
    """Return the process that decoded last."""
    return int((folder / CALLS).read_text().splitlines()[-1].split()[1])


def run(story: Callable[[Thumbnails], Awaitable[Any]], **settings: Any) -> None:
    async def tell() -> None:
        found = Thumbnails(Settings(**settings), "slow_decoder:hand_over")
        try:
            await story(found)
        finally:
            found.close()

    asyncio.run(tell())


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition)


def test_whoever_asks_for_the_same_image_shares_its_decoding(tmp_path: Path) -> None:
    (slow,) = make(tmp_path, "slow.png")

    async def story(found: Thumbnails) -> None:
        asked = [asyncio.create_task(found.find(slow)) for _ in range(5)]
        await until(lambda: bool(decoded(tmp_path)))
        (tmp_path / GO).touch()
        assert await asyncio.gather(*asked) == [b"slow.png"] * 5
        assert await found.find(slow) == b"slow.png"

    run(story)
    assert decoded(tmp_path) == ["slow.png"]


def test_the_pictures_have_the_size_asked_for(tmp_path: Path) -> None:
    (image,) = make(tmp_path, "a.png")

    async def story(found: Thumbnails) -> None:
        larger = Thumbnails(Settings(), "slow_decoder:hand_over", thumbnails.PREVIEW_PIXELS)
        try:
            await found.find(image)
            await larger.find(image)
        finally:
            larger.close()

    run(story)
    sizes = [line.split()[2] for line in (tmp_path / CALLS).read_text().splitlines()]
    assert sizes == ["240", "1024"]


def test_one_image_is_decoded_at_a_time(tmp_path: Path) -> None:
    slow, *others = make(tmp_path, "slow.png", "a.png", "b.png")

    async def story(found: Thumbnails) -> None:
        asked = [asyncio.create_task(found.find(image)) for image in (slow, *others)]
        await until(lambda: bool(decoded(tmp_path)))
        assert decoded(tmp_path) == ["slow.png"]
        (tmp_path / GO).touch()
        await asyncio.gather(*asked)

    run(story)
    assert decoded(tmp_path) == ["slow.png", "a.png", "b.png"]


def test_who_would_wait_for_long_is_told_to_ask_again_and_then_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other = make(tmp_path, "slow.png", "a.png")
    monkeypatch.setattr(thumbnails, "WAIT_SECONDS", 0.1)

    async def story(found: Thumbnails) -> None:
        for image in (slow, other, slow):
            with pytest.raises(OverloadedError, match="takes long"):
                await found.find(image)
        (tmp_path / GO).touch()
        await until(lambda: "a.png" in decoded(tmp_path))
        monkeypatch.setattr(thumbnails, "WAIT_SECONDS", PATIENT_SECONDS)
        assert await found.find(slow) == b"slow.png"

    run(story)
    assert decoded(tmp_path) == ["slow.png", "a.png"]


def test_only_so_many_images_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "MOST_WAITING", 2)
    slow, first, second = make(tmp_path, "slow.png", "a.png", "b.png")

    async def story(found: Thumbnails) -> None:
        asked = [asyncio.create_task(found.find(image)) for image in (slow, first)]
        await until(lambda: bool(decoded(tmp_path)))
        with pytest.raises(OverloadedError, match="Many images"):
            await found.find(second)
        asked.append(asyncio.create_task(found.find(first)))  # it waits already
        (tmp_path / GO).touch()
        assert await asyncio.gather(*asked) == [b"slow.png", b"a.png", b"a.png"]
        assert await found.find(second) == b"b.png"

    run(story)


def test_an_image_that_takes_too_long_or_kills_its_decoder_costs_only_itself(
    tmp_path: Path,
) -> None:
    slow, deadly, good = make(tmp_path, "slow.png", "deadly.png", "a.png")

    async def story(found: Thumbnails) -> None:
        for image, reason in ((slow, "timed-out"), (deadly, "killed-decoder")):
            with pytest.raises(UnreadableImageError, match=reason):
                await found.find(image)
        assert await found.find(good) == b"a.png"

    run(story, image_seconds=0.5)


def test_an_image_that_failed_is_not_decoded_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (damaged,) = make(tmp_path, "damaged.png")

    async def fail(found: Thumbnails) -> None:
        with pytest.raises(UnreadableImageError, match="by its name"):
            await found.find(damaged)

    async def story(found: Thumbnails) -> None:
        monkeypatch.setattr(thumbnails, "FAILED_SECONDS", 0.3)
        for _ in range(2):
            await fail(found)
        assert decoded(tmp_path) == ["damaged.png"]
        await until(lambda: not found.making)
        await fail(found)
        assert decoded(tmp_path) == ["damaged.png"] * 2

    run(story)


def test_a_file_that_changes_has_another_thumbnail(tmp_path: Path) -> None:
    async def story(found: Thumbnails) -> None:
        for content in ("one", "another"):
            (tmp_path / "a.png").write_text(content)
            assert await found.find(find_version(tmp_path / "a.png")) == content.encode()

    run(story)


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "KEPT_BYTES", 20)

    async def story(found: Thumbnails) -> None:
        for image in make(tmp_path, *(f"{number:02}.png" for number in range(9))):
            await found.find(image)
        assert 0 < found.kept_bytes == sum(map(len, found.kept.values())) <= 20

    run(story)


def test_an_idle_decoder_ends_and_another_one_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "IDLE_SECONDS", 0.1)
    first, second = make(tmp_path, "a.png", "b.png")

    async def story(found: Thumbnails) -> None:
        await found.find(first)
        await until(lambda: not psutil.pid_exists(decoder(tmp_path)))
        assert await found.find(second) == b"b.png"

    run(story)


def test_no_decoder_outlives_the_page(tmp_path: Path) -> None:
    slow, late = make(tmp_path, "slow.png", "late.png")

    async def story(found: Thumbnails) -> None:
        asked = asyncio.create_task(found.find(slow))
        await until(lambda: bool(decoded(tmp_path)))
        found.close()
        for answer in (asked, found.find(late)):
            with pytest.raises(OverloadedError, match="is stopping"):
                await answer

    run(story)
    wait_until(lambda: not psutil.pid_exists(decoder(tmp_path)))


def test_a_decoder_is_told_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_WEB_TOKEN", "a token of some length")
    monkeypatch.setenv("SHOAL_REDIS_URL", "redis://:password@localhost")
    (image,) = make(tmp_path, "a.png")

    async def story(found: Thumbnails) -> None:
        await found.find(image)
        told = psutil.Process(decoder(tmp_path)).environ()
        assert "PATH" in told
        assert not [name for name in told if name.startswith("SHOAL_")]

    run(story)
    assert os.environ["SHOAL_WEB_TOKEN"]
