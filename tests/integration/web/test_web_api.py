"""The API: the command line's objects over HTTP, and nothing that a job does not have."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from web_server import WebServer

from shoal.producer.job import Job
from shoal.shared.encoding import escape_name
from shoal.shared.jobs import State
from shoal.shared.settings import Settings
from shoal.shared.wire import encode

JSON = {"content-type": "application/json"}


def ask(web: WebServer, path: str) -> Any:
    answer = web.http.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(web: WebServer, method: str, path: str, **request: Any) -> tuple[int, str]:
    answer = web.http.request(method, f"/api/v1{path}", **request)
    return answer.status_code, answer.json()["error"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abcd":
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "e.xcf").touch()
    return tmp_path


def test_status_is_the_object_that_the_command_line_prints(web: WebServer, finished: Job) -> None:
    assert ask(web, f"/jobs/{finished.id}") == json.loads(encode(finished.status()))
    assert finished.id in [status["job_id"] for status in ask(web, "/jobs?count=1000")]


def test_clusters_are_named_and_images_have_a_folder_in_a_plan(
    web: WebServer, finished: Job
) -> None:
    path = f"/jobs/{finished.id}"
    answer = web.http.post(f"/api/v1{path}/names", json={"0": "kitchen"})
    assert answer.json() == ask(web, f"{path}/names") == {"0": "kitchen"}
    assert ask(web, f"{path}/summary")["clusters"][0]["name"] == "kitchen"
    first, *_ = plan = ask(web, f"{path}/organize")
    assert [row["path"] for row in plan] == [row["path"] for row in ask(web, f"{path}/labels")]
    folder = "00-kitchen" if first["label"] == 0 else f"{first['label']:02d}"
    assert first["target"] == f"{folder}/{first['path']}"
    assert ask(web, f"{path}/organize?flat=true&start=1&count=1")[0]["path"] == plan[1]["path"]
    assert refused(web, "POST", f"{path}/names", json={"999": "x"})[0] == 422
    assert web.http.post(f"/api/v1{path}/names", json={"0": ""}).json() == {}


def test_a_folder_is_estimated_then_submitted_then_found(web: WebServer, folder: Path) -> None:
    asked = {"source": str(folder), "clusters": 2, "image_size": 16, "algorithm": "minibatch"}
    before = ask(web, "/jobs")
    estimate = web.http.post("/api/v1/estimate", json=asked).json()
    assert (estimate["images"], estimate["skipped"]) == (4, 2)
    assert "in Redis" in estimate["message"]
    assert ask(web, "/jobs") == before
    made = web.http.post("/api/v1/jobs", json=asked)
    assert made.status_code == 201
    assert made.json()["request"] | {"source": ""} == estimate["request"] | {"source": ""}
    assert made.json()["request"]["algorithm"] == "minibatch"
    assert web.http.get(made.headers["location"]).json()["state"] == State.QUEUED
    left_out = {
        "images": {"xcf": 1},
        "packages": {},
        "files": {"txt": 1},
        "links": 0,
        "unreadable": 0,
        "excluded": 0,
        "given_again": 0,
        "damaged": [],
        "members": {},
    }
    assert made.json()["left_out"] == left_out
    assert estimate["left_out"].startswith("Left out: 1 image that Shoal cannot read: 1 xcf (")
    assert estimate["left_out"] in web.http.get(f"/jobs/{made.json()['job_id']}").text
    again = web.http.post("/api/v1/jobs", json=asked)
    assert (again.status_code, again.json()["job_id"]) == (200, made.json()["job_id"])
    assert web.http.post("/api/v1/jobs", json=asked | {"force": True}).status_code == 201


def test_images_are_assigned_to_a_finished_job_then_found(
    web: WebServer, finished: Job, folder: Path
) -> None:
    path = f"/api/v1/jobs/{finished.id}/assign"
    made = web.http.post(path, json={"source": str(folder)})
    assert made.status_code == 201, made.text
    assert made.json()["request"]["model_of"] == finished.id
    assert web.http.get(made.headers["location"]).json()["state"] == State.QUEUED
    again = web.http.post(path, json={"source": str(folder)})
    assert (again.status_code, again.json()["job_id"]) == (200, made.json()["job_id"])
    assert web.http.post(path, json={"source": str(folder), "force": True}).status_code == 201
    assert refused(web, "POST", f"/jobs/{finished.id}/assign", json={"source": "photos"})[0] == 422
    waiting = f"/jobs/{made.json()['job_id']}/assign"
    assert refused(web, "POST", waiting, json={"source": str(folder)})[0] == 409


def test_a_server_without_the_network_says_so_and_compares_pixels(
    web: WebServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shoal.producer.submission.defaults.NETWORK", "no_such_module")
    asked = {"source": str(folder), "clusters": 2, "features": None}
    estimate = web.http.post("/api/v1/estimate", json=asked).json()
    assert estimate["request"]["features"] == "pixels"
    assert "pip install no_such_module" in estimate["lack"]
    page = web.http.get("/").text
    assert 'value="embedding"  disabled' in page
    assert 'value="pixels" checked' in page
    assert "pip install no_such_module" in page
    chosen = asked | {"recipe": "tutorial"}
    assert not web.http.post("/api/v1/estimate", json=chosen).json()["lack"]


def test_the_list_tells_jobs_of_one_folder_apart(web: WebServer, folder: Path) -> None:
    for options in ({"level": "finer"}, {"algorithm": "hdbscan"}):
        request = {"source": str(folder), "features": "pixels", "clusters": "auto", **options}
        assert web.http.post("/api/v1/jobs", json=request).is_success
    words = web.http.get("/").text
    for word in ("finer", "hdbscan"):
        assert f"pixels, auto clusters, {word} ·" in words


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ({"clusters": 5}, "use clusters 4 or less"),
        ({"clusters": "two"}, "clusters"),
        ({"image_size": 513, "clusters": 2}, "image size: "),
        ({"features": "dreams", "clusters": 2}, "there are pixels, color"),
        ({"recipe": "cake"}, "'tutorial'"),
        ({"algorithm": "magic"}, "'kmeans', 'minibatch' or 'hdbscan'"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"source": "relative"}, "the full path"),
        ({"source": "/no/such/folder"}, "check the spelling after /"),
        ({"source": "/a\0b"}, "the full path"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy(
    web: WebServer, folder: Path, asked: dict[str, Any], remedy: str
) -> None:
    for path in ("/estimate", "/jobs"):
        status, error = refused(web, "POST", path, json={"source": str(folder)} | asked)
        assert status == 422
        assert remedy in error


def test_a_folder_outside_the_roots_is_refused_before_it_is_looked_at(
    redis_server: Any, tmp_path: Path
) -> None:
    inside = tmp_path / "roots"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    with WebServer(redis_server.url, settings=Settings(image_roots=(inside,))) as web:
        for source in (tmp_path, inside / "out", tmp_path / "missing", f"{inside}/../x"):
            asked = {"source": str(source)}
            status, error = refused(web, "POST", "/jobs", json=asked)
            assert (status, error[:9]) == (422, "Not under")


def test_a_job_is_cancelled_and_goes_on(web: WebServer, folder: Path) -> None:
    made = web.http.post("/api/v1/jobs", json={"source": str(folder), "clusters": 3}).json()
    path = f"/jobs/{made['job_id']}"
    assert web.http.post(f"/api/v1{path}/cancel").json()["state"] == State.CANCELLED
    assert refused(web, "GET", f"{path}/summary") == (409, f"Job {made['job_id']} was cancelled.")
    assert web.http.post(f"/api/v1{path}/retry", json={}).json()["state"] == State.QUEUED
    assert refused(web, "POST", f"{path}/retry", json={})[0] == 422
    status, error = refused(web, "GET", f"{path}/labels")
    job_id = made["job_id"]
    lack = "no worker is running: start one"
    assert (status, error) == (409, f"Job {job_id} is queued, and has no result yet; {lack}.")


def test_labels_and_members_come_page_by_page(web: WebServer, finished: Job) -> None:
    path, expected = f"/jobs/{finished.id}", list(finished.labels())
    pages = [ask(web, f"{path}/labels?start={start}&count=15") for start in range(0, 60, 15)]
    assert [len(page) for page in pages] == [15, 15, 12, 0]
    rows = [row for page in pages for row in page]
    found = [(row["path"], row["label"]) for row in rows]
    assert found == [(escape_name(a.path), a.label) for a in expected]
    for cluster in finished.summary().clusters:
        members = ask(web, f"{path}/clusters/{cluster.label}/members")
        distances = [member["distance"] for member in members]
        assert (len(members), distances) == (cluster.size, sorted(distances))
        representatives = list(map(escape_name, cluster.representatives))
        paths = [member["path"] for member in members]
        assert [path for path in paths if path in representatives] == representatives
    assert ask(web, f"{path}/clusters/7/members") == []


def test_failures_come_page_by_page(web: WebServer, finished: Job) -> None:
    first = ask(web, f"/jobs/{finished.id}/failures?count=2")
    rest = ask(web, f"/jobs/{finished.id}/failures?start=2")
    assert [*first, *rest] == json.loads(encode(list(finished.failures())))


def test_an_image_is_shown_by_its_number_and_only_if_it_was_loaded(
    web: WebServer, finished: Job, hostile: Path
) -> None:
    path = f"/jobs/{finished.id}"
    for member in ask(web, f"{path}/labels")[::10]:
        answer = web.http.get(f"/api/v1{path}/images/{member['number']}/thumbnail")
        larger = web.http.get(f"/api/v1{path}/images/{member['number']}/preview")
        assert larger.content == answer.content  # neither is enlarged
        shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"), float)
        image = np.asarray(Image.open(hostile / member["path"]).convert("L"), float)
        assert np.abs(shown - image).mean() < 8
    again = {"if-none-match": answer.headers["etag"]}
    for url in (answer.request.url, larger.request.url):
        assert web.http.get(url, headers=again).status_code == 304
    for picture in ("thumbnail", "preview"):
        for number in ("0", "45", "99999999"):
            assert refused(web, "GET", f"{path}/images/{number}/{picture}")[0] == 422
        for path_like in ("-1", "../../x", "%2e%2e%2fx", "140.png"):
            assert refused(web, "GET", f"{path}/images/{path_like}/{picture}")[0] in {404, 422}


def test_an_image_that_has_gone_since_or_left_the_roots_is_not_shown(
    redis_server: Any, web: WebServer, finished: Job, hostile: Path
) -> None:
    first = ask(web, f"/jobs/{finished.id}/labels")[1]
    path = f"/jobs/{finished.id}/images/{first['number']}/preview"
    with WebServer(redis_server.url, settings=Settings(image_roots=(hostile / "sub",))) as other:
        assert refused(other, "GET", path)[0] == 404
    (hostile / first["path"]).rename(hostile / "gone")
    try:
        status, error = refused(web, "GET", path)
        assert (status, "not on this machine" in error) == (404, True)
    finally:
        (hostile / "gone").rename(hostile / first["path"])


def test_plots_are_served(web: WebServer, finished: Job) -> None:
    answer = web.http.get(f"/api/v1/jobs/{finished.id}/plots/scatter")
    assert (answer.headers["content-type"], answer.content[:4]) == ("image/png", b"\x89PNG")
    assert refused(web, "GET", f"/jobs/{finished.id}/plots/choice")[0] == 422
    assert refused(web, "GET", f"/jobs/{finished.id}/plots/..%2f..%2fx")[0] in {404, 422}


def test_downloads_are_the_files_of_the_command_line(web: WebServer, finished: Job) -> None:
    files = {}
    names = ("labels.csv", "labels.json", "labels.parquet", "failures.csv", "model.npz")
    for name in (*names, "duplicates.csv", "report.html"):
        answer = web.http.get(f"/api/v1/jobs/{finished.id}/downloads/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-disposition"].startswith("attachment; ")
        files[name] = answer.content
    text = files["labels.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["path"] for row in rows] == [escape_name(a.path) for a in finished.labels()]
    assert json.loads(files["labels.json"])[0].keys() == rows[0].keys()
    assert files["model.npz"] == finished.model()
    assert files["duplicates.csv"].startswith(b"group,path,")
    assert files["labels.parquet"][:4] == b"PAR1"
    assert b"<img src=x" not in files["report.html"]
    assert refused(web, "GET", f"/jobs/{finished.id}/downloads/passwd")[0] == 422


def test_features_and_coordinates_are_downloaded_as_arrays(web: WebServer, finished: Job) -> None:
    for name in ("features", "coordinates"):
        url = f"/api/v1/jobs/{finished.id}/downloads/{name}"
        array = np.load(io.BytesIO(web.http.get(f"{url}.npy").content))
        np.testing.assert_array_equal(array, getattr(finished, name)())
        assert web.http.get(f"{url}.parquet").content[:4] == b"PAR1"


def test_a_job_that_is_not_there_is_told_without_commands_or_calls(web: WebServer) -> None:
    for job_id in ("0123456789ab", "nosuch", "..%2f"):
        status, error = refused(web, "GET", f"/jobs/{job_id}")
        assert status == 404
        assert error in {f"No job {job_id}.", "Not Found."}


def test_submitting_too_often_and_too_much_is_refused(redis_server: Any, folder: Path) -> None:
    with WebServer(redis_server.url) as web:
        asked = {"source": str(folder / "missing")}
        answers = [web.http.post("/api/v1/jobs", json=asked) for _ in range(25)]
        assert {answer.status_code for answer in answers} == {422, 429}
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert refused(web, "POST", "/jobs", json={"source": "/" * 70_000})[0] == 413
        assert refused(web, "POST", "/estimate", content=b"{", headers=JSON)[0] == 422


def test_metrics_tell_of_jobs_images_and_work(web: WebServer, finished: Job) -> None:
    lines = web.http.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['shoal_jobs{state="finished"}'] == "1.0"
    assert values['shoal_images_total{outcome="loaded"}'] == "42.0"
    assert values['shoal_images_total{outcome="failed"}'] == "3.0"
    assert values['shoal_failures_total{reason="empty"}'] == "1.0"
    assert values['shoal_batch_seconds_count{wave="loading"}'] == "5.0"
    assert values['shoal_callback_seconds_count{state="fitting"}'] == "1.0"
    assert float(values['shoal_callback_seconds_sum{state="fitting"}']) > 0
    assert 'shoal_queue_messages{queue="shoal.2.batches"}' in values
    assert web.http.get("/healthz").status_code == 200
    assert web.http.get("/readyz").json() in ({"status": "ready"},)
