"""Other clusters of a job, asked for over HTTP."""

import pytest
from web_server import WebServer

from shoal.producer.job import Job
from shoal.shared.store.keys import JobKeys


def test_other_clusters_of_a_finished_job_are_asked_for_then_found(
    web: WebServer, finished: Job
) -> None:
    path = f"/api/v1/jobs/{finished.id}/recluster"
    asked = {"clusters": 3, "algorithm": "minibatch"}
    made = web.http.post(path, json=asked)
    assert made.status_code == 201, made.text
    assert made.json()["request"]["coordinates_of"] == finished.id
    assert made.json()["images"]["total"] == 45
    again = web.http.post(path, json=asked)
    assert (again.status_code, again.json()["job_id"]) == (200, made.json()["job_id"])
    part = web.http.post(path, json={"cluster": 0, "force": True})
    assert (part.status_code, part.json()["request"]["cluster"]) == (201, 0)
    page = web.http.get(f"/jobs/{part.json()['job_id']}").text
    assert f"cluster 0 of job {finished.id}</a>, clustered again" in page
    waiting = web.http.post(f"/api/v1/jobs/{made.json()['job_id']}/recluster", json={})
    assert waiting.status_code == 409


def test_the_page_offers_to_try_failed_images_where_they_were_loaded(
    web: WebServer, finished: Job
) -> None:
    asked = {"clusters": 2, "force": True}
    job_id = web.http.post(f"/api/v1/jobs/{finished.id}/recluster", json=asked).json()["job_id"]
    redis, offered = finished.ledger.client, "Try the failed images again"
    for field, value in (("state", "failed"), ("failed", "1")):
        redis.hset(JobKeys(job_id).job, field, value)
    assert offered in web.http.get(f"/jobs/{finished.id}").text
    assert offered not in web.http.get(f"/jobs/{job_id}").text


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ({"cluster": 9}, "has no cluster 9: there are 0 to 1"),
        ({"clusters": 5000}, "5000 clusters need as many images"),
        ({"components": 4000}, "components of each image, not 4000"),
        ({"features": "hog"}, "features: Extra inputs"),
    ],
)
def test_what_cannot_work_is_refused(
    web: WebServer, finished: Job, asked: dict[str, object], remedy: str
) -> None:
    answer = web.http.post(f"/api/v1/jobs/{finished.id}/recluster", json=asked)
    assert (answer.status_code, remedy in answer.text) == (422, True), answer.text
