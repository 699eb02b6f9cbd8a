"""Folders over HTTP, and the form in which one of them is chosen."""

import json
import os
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from web_server import WebServer

from shoal.producer.job import Job
from shoal.producer.web.pages import form
from shoal.shared.recipe.features import EXTRACTORS
from shoal.shared.settings import Settings


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("roots").resolve()
    (root / "photos" / "2024").mkdir(parents=True)
    (root / "photos" / "a.jpg").touch()
    (root / "out").symlink_to(root.parent)
    os.mkdir(os.fsencode(root) + b"/caf\xe9")  # noqa: PTH102  no text has this name
    return root


@pytest.fixture(scope="module")
def confined(redis_server: Any, root: Path) -> Any:
    with WebServer(redis_server.url, settings=Settings(image_roots=(root,))) as web:
        yield web


def test_folders_are_listed_below_the_roots_alone(confined: WebServer, root: Path) -> None:
    found = confined.http.get("/api/v1/folders").json()
    assert found["path"] == str(root)
    shown = {each["name"]: each["path"] for each in found["folders"]}
    assert shown == {"photos": str(root / "photos"), "caf\\xe9": None}
    below = confined.http.get("/api/v1/folders", params={"path": shown["photos"]}).json()
    assert (below["images"], [each["name"] for each in below["folders"]]) == (1, ["2024"])
    for path in (f"{root}/..", f"{root}/out", f"{root}/out/missing", "/etc", "/no/such"):
        answer = confined.http.get("/api/v1/folders", params={"path": path})
        assert (answer.status_code, answer.json()["error"][:12]) == (422, "Only what is")
    for path in ("a\0b", "x", "\ufffd", "/" * 5000):
        assert confined.http.get("/api/v1/folders", params={"path": path}).status_code == 422


def test_without_roots_folders_are_listed_below_the_home_directory(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Pictures").mkdir()
    assert web.http.get("/api/v1/folders").json()["folders"][0]["name"] == "Pictures"
    assert web.http.get("/api/v1/folders?path=~/Pictures").json()["folders"] == []
    assert web.http.get("/api/v1/folders?path=/etc").status_code == 422


def test_a_few_people_look_into_folders_at_the_same_time(confined: WebServer) -> None:
    taken = [confined.site.browsings.acquire(blocking=False) for _ in range(4)]
    try:
        answer = confined.http.get("/api/v1/folders")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    finally:
        for _ in filter(None, taken):
            confined.site.browsings.release()


def test_a_refusal_says_which_field_it_is_about(web: WebServer, hostile: Path) -> None:
    source = {"source": str(hostile)}
    for asked, option in (
        ({"source": "/no/such"}, "source"),
        (source | {"clusters": 5000}, "clusters"),
        (source | {"clusters": "two"}, "clusters"),
        (source | {"features": "dreams"}, "features"),
        (source | {"features": "hog+hog"}, "features"),
        (source | {"level": "finer", "clusters": 3}, "level"),
        (source | {"components": 4000}, "components"),
        (source | {"image_size": 0}, "image_size"),
        (source | {"renumber": True, "keep_model": True}, "renumber"),
        ({}, "source"),
        (source | {"colour": "red", "clusters": "two"}, None),
    ):
        answer = web.http.post("/api/v1/estimate", json=asked)
        assert (answer.status_code, answer.json()["option"]) == (422, option), asked


def test_the_time_is_that_of_the_last_job_with_the_same_features(
    web: WebServer, finished: Job, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"source": str(hostile), "features": "pixels", "clusters": 2}
    assert web.http.post("/api/v1/estimate", json=asked).json()["seconds"] is None
    monkeypatch.setattr("shoal.producer.web.api.estimate.LEAST_IMAGES", 10)
    status = finished.status()
    assert status.started_at
    assert status.finished_at
    rate = 42 / max(status.finished_at - status.started_at, 0.1)
    seconds = web.http.post("/api/v1/estimate", json=asked).json()["seconds"]
    assert seconds == pytest.approx(45 / rate)
    other = asked | {"features": "hog"}
    assert web.http.post("/api/v1/estimate", json=other).json()["seconds"] is None


def read_values(page: str) -> Any:
    return json.loads(unescape(re.findall(r"data-job=.* data-values='(.*?)'", page)[0]))


def test_a_job_is_repeated_with_its_options_in_the_form(web: WebServer, finished: Job) -> None:
    page = web.http.get(f"/?again={finished.id}").text
    values = read_values(page)
    request = finished.status().request
    assert values["source"] == request.source
    assert (values["clusters"], values["batch_size"], values["image_size"]) == (2, 10, None)
    assert values["features"] == "pixels"
    assert "data-can-recluster" in page
    assert f'href="/?again={finished.id}"' in web.http.get(f"/jobs/{finished.id}").text
    asked = {"cluster": 0, "force": True}
    made = web.http.post(f"/api/v1/jobs/{finished.id}/recluster", json=asked).json()
    again = web.http.get(f"/?again={made['job_id']}").text
    assert "data-can-recluster" not in again  # it has not finished
    assert f"cluster 0 of job {finished.id}" in again
    assert web.http.get("/?again=0123456789ab").status_code == 404


def test_folders_of_earlier_jobs_are_offered_again(web: WebServer, finished: Job) -> None:
    source = finished.status().request.source
    for path in ("/", "/?page=2"):
        page = web.http.get(path).text
        assert f'data-folder="{source}"' in page
        assert page.count(f'<option value="{source}">') == 1


def test_every_kind_of_features_has_a_card_or_a_name(web: WebServer) -> None:
    assert form.CARDS.keys() == EXTRACTORS.keys()
    page = web.http.get("/").text
    assert all(f'name="features" value="{name}"' in page for name in EXTRACTORS)
