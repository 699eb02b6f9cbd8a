"""Search and recommendation through the API: by images of the job, and by what is uploaded."""

from pathlib import Path
from typing import Any

import pytest
from answering import answering
from servers import Server
from web_server import WebServer

from shoal.producer.job import Job


@pytest.fixture
def url(finished: Job) -> str:
    return f"/api/v1/jobs/{finished.id}"


def ask(web: WebServer, url: str, **query: Any) -> Any:
    answer = web.http.get(url, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_search_gives_what_python_gives_with_numbers(
    web: WebServer, finished: Job, url: str
) -> None:
    found = ask(web, f"{url}/search", image="141.png", count=5)
    expected = finished.search("141.png", count=5)
    names = ("rank", "path", "label", "distance")
    assert [tuple(row[n] for n in names) for row in found] == [
        tuple(getattr(match, n) for n in names) for match in expected
    ]
    catalogue = finished.catalogue()
    assert [catalogue.path(row["number"]) for row in found] == [row["path"] for row in found]
    number = catalogue.number("141.png")
    assert ask(web, f"{url}/search", number=number, count=5) == found
    both = ask(web, f"{url}/search", image=["141.png", "150.png"], number=[number], count=1000)
    assert len(both) == len(finished.search("141.png", "150.png", count=1000))


def test_recommendations_leave_out_what_was_given(web: WebServer, finished: Job, url: str) -> None:
    number = finished.catalogue().number("150.png")
    query = {"like": ["141.png", "142.png"], "dislike_number": number, "duplicates": True}
    for rocchio in (False, True):
        found = ask(web, f"{url}/recommend", count=1000, rocchio=rocchio, **query)
        assert not {"141.png", "142.png", "150.png"} & {row["path"] for row in found}
        assert len(found) == 42 - 3


def test_files_of_the_server_are_no_images(
    web: WebServer, url: str, mixed: Path, finished: Job
) -> None:
    source = Path(finished.status().request.source)
    for path in (mixed / "141.png", source / "141.png", "./141.png", "/etc/passwd"):
        for query in (f"search?image={path}", f"recommend?like={path}"):
            answer = web.http.get(f"{url}/{query}")
            assert (answer.status_code, "has no image" in answer.text) == (422, True)


@pytest.mark.parametrize(
    "query",
    [
        *("search", "search?number=99", "search?number=0", "search?image=141.png&count=0"),
        *("search?image=141.png&max_distance=nan", "recommend", "recommend?dislike=141.png"),
    ],
)
def test_what_cannot_be_searched_by_is_refused(web: WebServer, url: str, query: str) -> None:
    answer = web.http.get(f"{url}/{query}")
    assert answer.status_code == 422, answer.text
    assert "`" not in answer.json()["error"]


def test_an_upload_is_searched_by_with_a_worker(
    web: WebServer, finished: Job, url: str, mixed: Path, redis_server: Server
) -> None:
    content = (mixed / "141.png").read_bytes()
    refused = web.http.post(f"{url}/search", content=content)
    assert (refused.status_code, "No worker" in refused.text) == (422, True)
    with answering(redis_server, finished):
        found = web.http.post(f"{url}/search?count=2", content=content).json()
        assert found[0]["path"] == "141.png"
        assert found[0]["distance"] < 1e-2
        damaged = web.http.post(f"{url}/search", content=content[:40])
    assert damaged.status_code == 422
    assert "cannot be used" in damaged.json()["error"]


def test_a_large_upload_and_too_many_at_once_are_refused(
    web: WebServer, url: str, mixed: Path
) -> None:
    assert web.http.post(f"{url}/search", content=bytes(2**22 + 1)).status_code == 413
    content = (mixed / "141.png").read_bytes()
    held = [web.site.questions.acquire() for _ in range(4)]
    try:
        busy = web.http.post(f"{url}/search", content=content)
    finally:
        for _ in held:
            web.site.questions.release()
    assert busy.status_code == 429
    assert "Retry-After" in busy.headers


@pytest.mark.parametrize("route", ["search?image=141.png", "recommend?like=141.png"])
def test_too_many_searches_at_once_are_refused(web: WebServer, url: str, route: str) -> None:
    held = [web.site.searches.acquire() for _ in range(4)]
    try:
        busy = web.http.get(f"{url}/{route}")
    finally:
        for _ in held:
            web.site.searches.release()
    assert (busy.status_code, "Retry-After" in busy.headers) == (429, True)
    assert web.http.get(f"{url}/{route}").status_code == 200


def test_a_body_that_is_missing_is_named(web: WebServer, url: str) -> None:
    answer = web.http.post(f"{url}/search")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("body: ")
