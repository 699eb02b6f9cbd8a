"""What SOURCE can be over HTTP: several at once, and nothing that leads elsewhere."""

from pathlib import Path
from typing import Any

import pytest
from web_server import WebServer

from shoal.producer.web.pages.form import repeat
from shoal.shared.settings import Settings


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/1.png", "a/2.png", "b/3.png", "c/4.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def submit(web: WebServer, source: Any, **options: Any) -> Any:
    asked = {"source": source, "recipe": "tutorial", "clusters": 2, "components": 1, **options}
    return web.http.post("/api/v1/jobs", json=asked)


def test_several_folders_are_one_job_which_the_form_can_repeat(web: WebServer, tree: Path) -> None:
    folders = [f"{tree}/a", f"{tree}/b"]
    made = submit(web, folders, exclude=["2.*"])
    assert made.status_code == 201, made.text
    request = made.json()["request"]
    assert (request["source"], request["inputs"]) == (str(tree), folders)
    assert (made.json()["images"]["total"], made.json()["left_out"]["excluded"]) == (2, 1)
    assert submit(web, folders, exclude=["2.*"]).status_code == 200, "found again"
    values = repeat(web.client.job(made.json()["job_id"])).values
    assert [*values["source"]] == folders
    assert [*values["exclude"]] == ["2.*"]
    page = web.http.get("/").text
    assert f"{tree}/a, {tree}/b" in page


def test_a_list_is_one_source_and_the_estimate_sees_it_change(web: WebServer, tree: Path) -> None:
    listed = tree / "list.csv"
    listed.write_text("where,label\na/1.png,x\nb/3.png,y\n")
    asked = {"source": str(listed), "recipe": "tutorial", "clusters": 2, "components": 1}
    refused = web.http.post("/api/v1/estimate", json=asked)
    assert refused.status_code == 422
    assert "name one by column; there are: where, label" in refused.json()["error"]
    assert web.http.post("/api/v1/estimate", json=asked | {"column": "where"}).json()["images"] == 2
    made = submit(web, str(listed), column="where").json()
    assert repeat(web.client.job(made["job_id"])).values["source"] == str(listed)
    wrong = submit(web, str(listed), column="other")
    assert (wrong.status_code, wrong.json()["option"]) == (422, "column")


@pytest.mark.parametrize("source", ["-", "a", "a/*.png", ["/", "-"], [], "", ["/x\0"]])
def test_only_full_paths_and_urls_are_taken(web: WebServer, source: Any) -> None:
    assert submit(web, source).status_code == 422


def test_nothing_outside_the_roots_is_looked_at(redis_server: Any, tree: Path) -> None:
    (tree / "a/list.txt").write_text(f"1.png\n{tree}/c/4.png\n")
    (tree / "a/link").symlink_to(tree / "c")
    with WebServer(redis_server.url, settings=Settings(image_roots=(tree / "a",))) as web:
        for source in (
            [f"{tree}/a", f"{tree}/b"],
            f"{tree}/b/*.png",
            f"{tree}/a/../c/4.png",
            f"{tree}/a/list.txt",
            f"{tree}/a/link/*.png",
            f"{tree}/a/*/4.png",
            f"{tree}/nowhere",
        ):
            answer = submit(web, source)
            assert answer.status_code == 422, source
            assert (
                answer.json()["error"] == f"Not under a directory of SHOAL_IMAGE_ROOTS: {tree}/a."
            )
        assert "SHOAL_IMAGE_URLS" in submit(web, "s3://bucket/a.png").json()["error"]
        assert submit(web, [f"{tree}/a/1.png", f"{tree}/a/2.png"]).status_code == 201
