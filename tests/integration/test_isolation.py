import os
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from shoal.shared.errors import ShoalError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits, ReadFile
from shoal.shared.images.thumbnails import encode_ratio
from shoal.worker.images import isolation
from shoal.worker.images.isolation import IsolatedLoader
from shoal.worker.images.loading import NO_MEMORY, load_image

LIMITS = ImageLimits(max_bytes=10_000_000, max_pixels=1_000_000)
MEMORY_BYTES = 2**30


def isolated(seconds: float = 30, function: str = "faulty_decoder:load") -> IsolatedLoader:
    return IsolatedLoader(2, LIMITS, seconds, MEMORY_BYTES, function=function)


@pytest.fixture(scope="module")
def shared_loader() -> Iterator[IsolatedLoader]:
    with isolated() as loader:
        yield loader


def make_image(path: Path) -> Path:
    Image.new("RGB", (9, 9), (10, 20, 30)).save(path, "PNG")
    return path


def failure(loader: IsolatedLoader, path: Path) -> UnreadableImageError:
    with pytest.raises(UnreadableImageError) as caught:
        loader.load(path)
    return caught.value


def decoder_process(loader: IsolatedLoader) -> psutil.Process:
    return psutil.Process(int.from_bytes(loader.load(Path("pid.png")).pixels.tobytes()))


def test_an_image_is_loaded_as_without_isolation(
    tmp_path: Path, shared_loader: IsolatedLoader
) -> None:
    path = make_image(tmp_path / "a.png")
    assert np.array_equal(shared_loader.load(path).pixels, load_image(path, 2, LIMITS))


def test_the_product_decodes_with_its_own_loader(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (90, 30), (10, 20, 30)).save(path)
    with IsolatedLoader(512, LIMITS, 30, MEMORY_BYTES) as loader:
        loaded = loader.load(path)
    assert np.array_equal(loaded.pixels, load_image(path, 512, LIMITS))
    assert loaded.ratio == encode_ratio(3, 1)


def test_failures_are_those_without_isolation(
    tmp_path: Path, shared_loader: IsolatedLoader
) -> None:
    (tmp_path / "text.png").write_text("text")
    for path in (tmp_path / "text.png", tmp_path / "nowhere", tmp_path, tmp_path / "\ud800"):
        with pytest.raises(UnreadableImageError) as direct:
            load_image(path, 2, LIMITS)
        error = failure(shared_loader, path)
        assert (error.reason, error.detail) == (direct.value.reason, direct.value.detail)


def test_a_file_that_was_read_is_decoded_as_it_was(
    tmp_path: Path, shared_loader: IsolatedLoader
) -> None:
    path = make_image(tmp_path / "a.png")
    read = ReadFile(str(path), path.read_bytes())
    path.unlink()
    assert shared_loader.load(read).pixels[0, 0].tolist() == [10, 20, 30]
    # More than a pipe holds.
    large = BytesIO()
    Image.effect_noise((1000, 990), 90).save(large, "PNG")
    expected = load_image(ReadFile("b.png", large.getvalue()), 2, LIMITS)
    read = ReadFile("b.png", large.getvalue())
    assert np.array_equal(shared_loader.load(read).pixels, expected)


@pytest.mark.parametrize("name", [b"two\nlines.png", b"caf\xe9.png", b'{"quoted"}.png'])
def test_any_name_that_a_file_can_have_is_loaded(
    tmp_path: Path, shared_loader: IsolatedLoader, name: bytes
) -> None:
    path = make_image(tmp_path / os.fsdecode(name))
    assert shared_loader.load(path).pixels[0, 0].tolist() == [10, 20, 30]


def test_roots_hold_in_isolation(tmp_path: Path) -> None:
    path = make_image(tmp_path / "a.png")
    limits = ImageLimits(10_000_000, 1_000_000, (tmp_path / "root",))
    with IsolatedLoader(2, limits, 30, MEMORY_BYTES) as loader:
        assert failure(loader, path).reason is FailureReason.OUTSIDE_ROOTS


def test_output_of_a_decoder_does_not_disturb_the_replies(
    tmp_path: Path, shared_loader: IsolatedLoader
) -> None:
    path = make_image(tmp_path / "talkative.png")
    for _ in range(2):
        assert shared_loader.load(path).pixels[0, 0].tolist() == [10, 20, 30]


def test_an_image_that_eats_the_memory_fails_and_the_process_lives_on(
    tmp_path: Path, shared_loader: IsolatedLoader
) -> None:
    before = decoder_process(shared_loader)
    error = failure(shared_loader, tmp_path / "hungry.png")
    assert (error.reason, error.detail) == (FailureReason.TOO_MUCH_MEMORY, NO_MEMORY)
    assert decoder_process(shared_loader) == before


@pytest.mark.parametrize(
    ("name", "detail"),
    [("deadly.png", "killed by signal 11"), ("exiting.png", "ended with status 3")],
)
def test_an_image_that_kills_its_decoder_costs_only_itself(
    tmp_path: Path, shared_loader: IsolatedLoader, name: str, detail: str
) -> None:
    path = make_image(tmp_path / "a.png")
    before = decoder_process(shared_loader)
    error = failure(shared_loader, tmp_path / name)
    assert error.reason is FailureReason.KILLED_DECODER
    assert detail in error.detail
    assert not before.is_running()
    assert shared_loader.load(path).pixels[0, 0].tolist() == [10, 20, 30]


def test_an_image_does_not_answer_for_damage_that_another_did(
    tmp_path: Path, shared_loader: IsolatedLoader
) -> None:
    for name in ("poisonous.png", "innocent.png"):
        path = make_image(tmp_path / name)
        assert shared_loader.load(path).pixels[0, 0].tolist() == [10, 20, 30]


def test_a_decoder_that_died_between_two_images_costs_none(
    tmp_path: Path, shared_loader: IsolatedLoader
) -> None:
    path = make_image(tmp_path / "a.png")
    decoder = decoder_process(shared_loader)
    decoder.kill()
    psutil.wait_procs([decoder])
    assert shared_loader.load(path).pixels[0, 0].tolist() == [10, 20, 30]


def test_an_image_that_hangs_is_given_up(tmp_path: Path) -> None:
    path = make_image(tmp_path / "a.png")
    with isolated(seconds=0.2) as loader:
        hung = decoder_process(loader)
        started = time.monotonic()
        assert failure(loader, tmp_path / "endless.png").reason is FailureReason.TIMED_OUT
        assert time.monotonic() - started < 3
        assert not hung.is_running()
        assert loader.load(path).pixels[0, 0].tolist() == [10, 20, 30]


def test_the_caller_hears_that_it_waits_and_may_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([None, None, KeyboardInterrupt])

    def checkpoint() -> None:
        if call := next(calls):
            raise call

    monkeypatch.setattr("shoal.shared.images.decoder_process.WAIT_SECONDS", 0.3)
    path = make_image(tmp_path / "a.png")
    with IsolatedLoader(2, LIMITS, 30, MEMORY_BYTES, checkpoint, "faulty_decoder:load") as loader:
        with pytest.raises(KeyboardInterrupt):
            loader.load(tmp_path / "endless.png")
        calls = iter([None] * 100)
        assert loader.load(path).pixels[0, 0].tolist() == [10, 20, 30]


def test_no_process_is_left(tmp_path: Path) -> None:
    with isolated() as loader:
        decoder = decoder_process(loader)
    assert not decoder.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux chooses a process")
def test_a_system_short_of_memory_chooses_the_decoder(shared_loader: IsolatedLoader) -> None:
    decoder = decoder_process(shared_loader)
    assert Path(f"/proc/{decoder.pid}/oom_score_adj").read_text() == "1000\n"


IDLE = "os.kill(os.getpid(), 9)"
# It would be given up after 2 s, by a caller that lives.
HUNG = "Timer(0.2, os.kill, (os.getpid(), 9)).start(); loader.load(Path('endless.png'))"


@pytest.mark.parametrize("end", [IDLE, HUNG], ids=["idle", "hung"])
def test_a_decoder_ends_with_its_caller(end: str) -> None:
    """The caller is killed, so that it can say nothing; the decoder holds its stderr open."""
    program = (
        "import os; from test_isolation import isolated; from pathlib import Path\n"
        "from threading import Timer; loader = isolated(seconds=2)\n"
        f"loader.load(Path('pid.png')); {end}"
    )
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent / "support")])
    environ = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environ) as caller:
        assert caller.communicate(timeout=60)[1] == b""
    assert caller.returncode == -9


def test_a_decoder_that_cannot_start_is_no_fault_of_the_image(tmp_path: Path) -> None:
    with isolated(function="nowhere:load") as loader, pytest.raises(ShoalError, match="status 1"):
        loader.load(tmp_path / "a.png")


def test_no_image_is_blamed_for_the_memory_limit_of_a_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kills = iter((2, 3))
    monkeypatch.setattr(isolation, "count_kills", lambda: next(kills))
    monkeypatch.setattr(isolation, "describe_kills", lambda: "the limit was reached")
    with isolated() as loader, pytest.raises(ShoalError, match="the limit was reached"):
        loader.load(Path("deadly.png"))
