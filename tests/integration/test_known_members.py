"""Images of archives that earlier jobs have seen: what is read and loaded again."""

import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import archives
import pytest

from shoal.producer.submission.inputs.reading import read_sources
from shoal.shared.settings import Settings
from shoal.shared.sources.reading import SourceReader
from shoal.shared.store import Ledger
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.loading.loading import load_batch


@pytest.fixture
def caching(context: WorkerContext, tmp_path: Path) -> WorkerContext:
    """A worker with an empty cache."""
    settings = replace(context.settings, home=tmp_path / "home", cache_bytes=2**30)
    return replace(context, settings=settings)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the parts that were read of archives."""
    lengths, read_part = list[int](), SourceReader.read_part

    def note_and_read(
        reader: SourceReader, archive: str, version: bytes, offset: int, length: int
    ) -> bytes:
        lengths.append(length)
        return read_part(reader, archive, version, offset, length)

    monkeypatch.setattr(SourceReader, "read_part", note_and_read)
    return lengths


def count_known(
    caching: WorkerContext, register: Callable[..., Ledger], archive: Path
) -> tuple[int, int]:
    """Load the images of an archive; return how many were known, and how many could be used."""
    found = read_sources([str(archive)], Settings())
    assert found.locations is not None
    rows, source = [list(found.locations)], found.source
    ledger = register([list(found.paths)], locations=rows, source=source, image_size=8, clusters=3)
    load_batch(caching, ledger.job_id, 0, False)
    images = caching.ledger(ledger.job_id).status().images
    return images.known, images.loaded


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_as_it_was_is_not_read_again(
    caching: WorkerContext,
    register: Callable[..., Ledger],
    digits: Path,
    tmp_path: Path,
    asked: list[int],
    kind: str,
) -> None:
    make = archives.make_zip if kind == "zip" else archives.make_tar
    archive = make(tmp_path / f"a.{kind}", archives.as_folder(digits))
    known, loaded = count_known(caching, register, archive)
    assert known == 0
    assert asked
    asked.clear()
    assert count_known(caching, register, archive) == (loaded, loaded)
    assert asked == []


def test_of_a_tar_that_grew_only_new_images_are_loaded(
    caching: WorkerContext,
    register: Callable[..., Ledger],
    digits: Path,
    tmp_path: Path,
    asked: list[int],
) -> None:
    contents = archives.as_folder(digits)
    new = contents.popitem()
    archive = archives.make_tar(tmp_path / "a.tar", contents)
    _, loaded = count_known(caching, register, archive)
    (tmp_path / "new").write_bytes(new[1])
    with tarfile.open(archive, "a") as tar:
        tar.add(tmp_path / "new", new[0])
    asked.clear()
    assert count_known(caching, register, archive) == (loaded, loaded + 1)
    assert asked  # the tar is another file now, its contents are known
