"""The same images have the same labels, wherever they are."""

import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import archives
import pytest
from buckets import BucketServer
from quick import QuickClient
from servers import Server, start_redis
from shoal_command import Shoal
from worker_process import Worker

Rows = list[object]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = start_redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def images(tmp_path: Path, photographs: Path) -> Path:
    """A folder with images, one that is damaged, and what is no image."""
    folder = tmp_path / "images"
    shutil.copytree(photographs, folder)
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8 no more")
    (folder / "é ü.jpg").write_bytes(next(photographs.rglob("*.jpg")).read_bytes())
    (folder / "notes.txt").write_text("no image")
    return folder


def make_archives(directory: Path, contents: Mapping[str, bytes]) -> Iterator[Path]:
    """Pack images in each way, also in another order than that of their paths."""
    directory.mkdir()
    turned = dict(reversed(list(contents.items())))
    yield archives.make_tar(directory / "sorted.tar", contents)
    yield archives.make_tar(directory / "turned.tar", turned)
    yield archives.make_zip(directory / "stored.zip", contents, zipfile.ZIP_STORED)
    yield archives.make_zip(directory / "packed.zip", turned, zipfile.ZIP_DEFLATED)


def make_shards(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Pack images as WebDataset has them, each beside what is said of it, into three tars."""
    directory.mkdir()
    paths = list(contents)
    for number in range(3):
        part = paths[number * len(paths) // 3 : (number + 1) * len(paths) // 3]
        packed = {path: contents[path] for path in part}
        packed |= {f"{path.removesuffix('.jpg')}.json": b"{}" for path in part}
        archives.make_tar(directory / f"{number}.tar", packed)


def cluster(client: QuickClient, source: Path | str, *prefixes: str) -> Rows:
    """Cluster images; return all that is said of each of them, without what begins each path."""
    job = client.submit(source, force=True, cache=False)
    job.wait(60)
    labels = [replace(row, path=_cut(row.path, prefixes)) for row in job.labels()]
    return [*labels, *((_cut(each.path, prefixes), each.reason) for each in job.failures())]


def _cut(path: str, prefixes: tuple[str, ...]) -> str:
    return next((path[len(each) :] for each in prefixes if path.startswith(each)), path)


def test_the_same_labels_come_from_a_folder_a_tar_and_a_zip(
    server: Server, images: Path, tmp_path: Path
) -> None:
    contents = archives.as_folder(images)
    with Worker(Shoal(tmp_path / "home", SHOAL_REDIS_URL=server.url)):
        client = QuickClient(server.url)
        expected = cluster(client, images)
        assert len(expected) == len(contents) - 1
        turned = dict(reversed(list(contents.items())))
        tar = archives.make_tar(tmp_path / "images.tar", contents)
        zipped = archives.make_zip(tmp_path / "images.zip", turned, zipfile.ZIP_DEFLATED)
        assert cluster(client, tar) == expected
        assert cluster(client, zipped) == expected


@pytest.mark.slow
def test_the_same_labels_come_from_any_archive_shards_a_list_and_a_bucket(
    server: Server, bucket_server: BucketServer, bucket_url: str, images: Path, tmp_path: Path
) -> None:
    contents = archives.as_folder(images)
    with Worker(Shoal(tmp_path / "home", SHOAL_REDIS_URL=server.url)):
        client = QuickClient(server.url)
        expected = cluster(client, images)
        for archive in make_archives(tmp_path / "packed", contents):
            assert cluster(client, archive) == expected, archive.name

        make_shards(tmp_path / "shards", contents)
        shards = cluster(client, tmp_path / "shards" / "{0..2}.tar", "0.tar/", "1.tar/", "2.tar/")
        assert shards == expected

        (tmp_path / "list.txt").write_text("\n".join(f"{images}/{path}" for path in contents))
        assert cluster(client, tmp_path / "list.txt") == expected

        for path, content in contents.items():
            bucket_server.put(bucket_url, f"images/{path}", content)
        assert cluster(client, f"{bucket_url}/images") == expected
        bucket_server.put(bucket_url, "all.tar", (tmp_path / "packed/sorted.tar").read_bytes())
        assert cluster(client, f"{bucket_url}/all.tar") == expected
