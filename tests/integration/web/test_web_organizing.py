"""Organizing, moving duplicates and taking back over HTTP: only where the owner allows it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from polling import wait_until
from servers import Server
from web_server import WebServer

from shoal import undo
from shoal.producer.job import Job
from shoal.producer.organizing import Action, Ending
from shoal.shared.settings import Settings


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("allowed")


@pytest.fixture(scope="module")
def allowed(redis_server: Server, root: Path, hostile: Path) -> Iterator[WebServer]:
    """A page whose owner allows one directory, and that of the images."""
    with WebServer(redis_server.url, settings=Settings(organize_roots=(root, hostile))) as web:
        yield web


def post(web: WebServer, job: Job, action: str, directory: Path | str, **options: Any) -> Any:
    body = {"directory": str(directory), **options}
    return web.http.post(f"/api/v1/jobs/{job.id}/{action}", json=body)


def wait_for_run(web: WebServer, job: Job, directory: Path) -> Any:
    def read() -> Any:
        return web.http.get(
            f"/api/v1/jobs/{job.id}/runs", params={"directory": str(directory)}
        ).json()

    wait_until(lambda: read()["state"] != "running")
    return read()


def read_page(web: WebServer, job: Job, directory: Path, page: str = "organize") -> str:
    answer = web.http.get(f"/jobs/{job.id}/{page}", params={"directory": str(directory)})
    assert answer.status_code == 200
    return answer.text


def list_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def test_nothing_is_moved_unless_the_owner_allows_it(
    web: WebServer, finished: Job, tmp_path: Path
) -> None:
    for action in ("organize", "duplicates/move", "undo"):
        refused = post(web, finished, action, tmp_path / "x")
        assert (refused.status_code, "SHOAL_ORGANIZE_ROOTS" in refused.text) == (422, True)
    page = read_page(web, finished, tmp_path / "it's here")
    assert f"shoal organize {finished.id} &#39;{tmp_path}/it&#39;" in page
    assert "data-run-post" not in page
    assert "42 images in 2 folders" in page
    assert not (tmp_path / "x").exists()


def test_no_destination_leads_out_of_what_is_allowed(
    allowed: WebServer, finished: Job, root: Path, tmp_path: Path
) -> None:
    (root / "link").symlink_to(tmp_path)
    (root / "up").symlink_to("..")
    inside = (root, f"{root}/a/../..", f"{root}/link/a", f"{root}/up/x", f"{root}/../x")
    for directory in (*inside, f"{root}-not/a", "relative", "~/a", f"{root}/a\0b", "", "/"):
        for action in ("organize", "duplicates/move", "undo"):
            refused = post(allowed, finished, action, directory)
            assert refused.status_code == 422, directory
    assert list(tmp_path.iterdir()) == []
    (root / "link").unlink()
    (root / "up").unlink()


def test_no_destination_is_among_the_images(
    allowed: WebServer, finished: Job, hostile: Path
) -> None:
    before = list_files(hostile)
    assert post(allowed, finished, "organize", hostile / "sorted").status_code == 202
    run = wait_for_run(allowed, finished, hostile / "sorted")
    assert (run["state"], "is inside" in run["error"]) == ("failed", True)
    assert "is inside" in read_page(allowed, finished, hostile / "sorted")
    assert list_files(hostile) == before


def test_images_are_organized_and_come_back(allowed: WebServer, finished: Job, root: Path) -> None:
    finished.name_clusters({0: "one", 1: "one"})
    place = root / "new" / "sorted"
    begun = post(allowed, finished, "organize", place, mode="copy", flat=True)
    assert (begun.status_code, begun.json()["action"]) == (202, "organize")
    run = wait_for_run(allowed, finished, place)
    assert (run["state"], run["done"], run["n_skipped"]) == ("done", 42, 0)
    assert {path.parent.name for path in place.rglob("*.png")} == {"one"}
    assert "42 files in" in read_page(allowed, finished, place)
    finished.name_clusters({1: ""})
    page = read_page(allowed, finished, place)
    assert "had other names: take it back, then do the same again" in page
    assert ">Undo<" in page
    assert post(allowed, finished, "undo", place).status_code == 202
    assert wait_for_run(allowed, finished, place)["done"] == 42
    assert not (root / "new").exists()
    finished.name_clusters({0: ""})


def test_another_server_goes_on_or_takes_back_what_one_began(
    allowed: WebServer, redis_server: Server, finished: Job, root: Path
) -> None:
    place = root / "begun"
    finished.organize(place)
    next(place.rglob("*.png")).unlink()
    with WebServer(redis_server.url, settings=Settings(organize_roots=(root,))) as restarted:
        page = read_page(restarted, finished, place)
        assert "An earlier run brought files" in page
        assert ">Go on<" in page
        assert str(place) in read_page(restarted, finished, root / "other"), "it is listed"
        known = restarted.http.get(
            f"/api/v1/jobs/{finished.id}/runs", params={"directory": str(place)}
        )
        assert known.status_code == 404
        post(restarted, finished, "organize", place)
        assert wait_for_run(restarted, finished, place)["done"] == 42
    undo(place)


def test_a_journal_of_other_files_is_left_alone(
    allowed: WebServer, finished: Job, root: Path
) -> None:
    place = root / "foreign"
    finished.organize(place)
    journal = place / ".shoal-journal" / "journal"
    content = journal.read_text()
    head = json.loads(content.splitlines()[0].partition(" ")[2])
    other = Journals.write(place, head[1] | {"source": str(root)})
    assert post(allowed, finished, "undo", place).status_code == 422
    assert journal.read_text() == other
    journal.write_text(content)
    undo(place)


def test_a_damaged_journal_is_told_where_one_looks_at_its_directory(
    allowed: WebServer, finished: Job, root: Path
) -> None:
    journal = root / "damaged" / ".shoal-journal" / "journal"
    journal.parent.mkdir(parents=True)
    journal.write_text("notes\n")
    assert "is damaged" in read_page(allowed, finished, root / "damaged")
    assert read_page(allowed, finished, root / "damaged", "duplicates")
    assert journal.read_text() == "notes\n"


class Journals:
    """Writes the first line of a journal as somebody else might."""

    @staticmethod
    def write(place: Path, head: dict[str, object]) -> str:
        from shoal.producer.organizing.records import make_checksum

        body = json.dumps(["head", head], separators=(",", ":")).encode()
        line = f"{make_checksum(body).decode()} {body.decode()}\n"
        (place / ".shoal-journal" / "journal").write_text(line)
        return line


def test_duplicates_are_moved_and_come_back(
    allowed: WebServer, finished: Job, hostile: Path, root: Path
) -> None:
    before, place = list_files(hostile), root / "extra"
    page = read_page(allowed, finished, place, "duplicates")
    assert f"/api/v1/jobs/{finished.id}/duplicates/move" in page
    post(allowed, finished, "duplicates/move", place, keep="first", exact=True)
    assert wait_for_run(allowed, finished, place)["done"] == 2
    assert list_files(hostile) == before - list_files(place)
    assert ">Undo<" in read_page(allowed, finished, place, "duplicates")
    post(allowed, finished, "undo", place)
    assert wait_for_run(allowed, finished, place)["is_complete"]
    assert list_files(hostile) == before


def test_one_run_is_at_work_in_a_directory(allowed: WebServer, finished: Job, root: Path) -> None:
    from threading import Event

    may_end = Event()

    def wait(_progress: object) -> Ending:
        may_end.wait(30)
        return Ending(0, [])

    allowed.site.runs.start(root / "busy", finished.id, Action.ORGANIZE, wait)
    try:
        assert "Organizing …" in read_page(allowed, finished, root / "busy")
        refused = post(allowed, finished, "organize", root / "busy")
        assert (refused.status_code, "wait until it has ended" in refused.text) == (422, True)
    finally:
        may_end.set()
    assert wait_for_run(allowed, finished, root / "busy")["state"] == "done"
