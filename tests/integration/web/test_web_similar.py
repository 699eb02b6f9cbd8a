"""The page of similar images: what it finds, what its links say, and what it says if none is."""

import csv
import re
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest
from answering import answering
from PIL import Image
from servers import Server
from web_server import WebServer

from shoal.producer.job import Job
from shoal.producer.web.pages.feedback import Feedback
from shoal.producer.web.pages.matches import measure_likeness, measure_scale
from shoal.producer.web.pages.uploads import Uploads


@pytest.fixture
def url(finished: Job) -> str:
    return f"/jobs/{finished.id}/similar"


def number_of(job: Job, path: str) -> int:
    return job.catalogue().number(path)


def read(web: WebServer, address: str, status: int = 200) -> str:
    answer = web.http.get(address)
    assert answer.status_code == status, answer.text
    return answer.text


def find_numbers(page: str) -> list[int]:
    """The numbers of the images that were found, in their order."""
    _, _, found = page.partition('id="found"')
    return [int(number) for number in re.findall(r'data-number="(\d+)"', found)]


def find_links(page: str, kind: str) -> list[str]:
    return [unescape(link) for link in re.findall(rf'<a class="{kind}" href="([^"]*)"', page)]


def test_similar_images_are_those_of_a_search_with_their_likeness(
    web: WebServer, finished: Job, url: str
) -> None:
    number = number_of(finished, "141.png")
    page = read(web, f"{url}?image={number}")
    matches = finished.search("141.png", count=300)
    assert find_numbers(page) == [number_of(finished, match.path) for match in matches]
    scale = measure_scale(finished.summary())
    shares = [float(share) for share in re.findall(r'<meter [^>]*value="([^"]+)"', page)]
    expected = [measure_likeness(match.distance, scale) for match in matches]
    assert shares == pytest.approx(expected)
    assert shares == sorted(shares, reverse=True)
    assert "<img src=x" not in page
    each = read(web, f"{url}?image={number}&duplicates=true")
    assert len(find_numbers(each)) == len(finished.search("141.png", count=300, duplicates=True))


def test_what_is_liked_and_what_not_stands_in_the_address(
    web: WebServer, finished: Job, url: str
) -> None:
    number = number_of(finished, "141.png")
    first = read(web, f"{url}?image={number}")
    liked = find_links(first, "like")[0]
    assert liked == f"{url}?like={number}&like={find_numbers(first)[0]}"
    second = read(web, liked)
    refused = find_links(second, "dislike")[-1]
    assert refused == f"{liked}&dislike={find_numbers(second)[-1]}"
    third = read(web, refused)
    likes, dislike = [number, find_numbers(first)[0]], find_numbers(second)[-1]
    matches = finished.recommend(likes, [dislike], count=300)
    assert find_numbers(third) == [number_of(finished, match.path) for match in matches]
    assert not {*likes, dislike} & set(find_numbers(third))
    assert f'href="{liked}"'.replace("&", "&amp;") in third  # what is taken back


def test_feedback_is_kept_once_and_taken_back() -> None:
    asked = Feedback(images=(3,), picture="x")
    assert asked.query == "picture=x&image=3"
    rated = asked.like(4).dislike(5)
    assert (rated.images, rated.likes, rated.dislikes) == ((), (3, 4), (5,))
    assert rated.like(5) == Feedback(likes=(3, 4, 5), picture="x")
    assert rated.without(3).without_picture().query == "like=4&dislike=5"
    assert not Feedback(images=(3,)).is_rated


def test_the_list_is_a_file_with_every_name_as_it_is(
    web: WebServer, finished: Job, url: str
) -> None:
    answer = web.http.get(f"{url}.csv?like={number_of(finished, '141.png')}&duplicates=true")
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(answer.text.splitlines(keepends=True)))
    matches = finished.recommend(["141.png"], count=300, duplicates=True)
    assert [int(row["rank"]) for row in rows] == [match.rank for match in matches]
    assert '<img src=x onerror="x()">.png' in {row["path"] for row in rows}


@pytest.mark.parametrize(
    ("query", "remedy"),
    [
        ("", "Choose an image"),
        ("?dislike=3", "Like at least one image"),
        ("?image=999", "no loaded image with number 999"),
        ("?picture=0123", "Your picture is not kept any more: choose it again"),
    ],
)
def test_what_cannot_be_found_is_told_with_the_remedy(
    web: WebServer, url: str, query: str, remedy: str
) -> None:
    page = read(web, f"{url}{query}", 422)
    assert remedy in page
    assert ("Take back" in page) == bool(query)


def test_that_all_images_were_chosen_is_told(web: WebServer, finished: Job, url: str) -> None:
    numbers = [str(member.number) for member in finished.catalogue().rows(0, 100)]
    page = read(web, f"{url}?like={'&like='.join(numbers)}")
    assert "There is no other image" in page
    assert "Take back" in page


def test_too_many_searches_at_once_are_told(web: WebServer, url: str) -> None:
    held = [web.site.searches.acquire() for _ in range(4)]
    try:
        assert "Other searches are going on" in read(web, f"{url}?image=3", 429)
    finally:
        for _ in held:
            web.site.searches.release()


def test_a_picture_of_the_readers_own_is_searched_by(
    web: WebServer, finished: Job, url: str, mixed: Path, redis_server: Server
) -> None:
    file = BytesIO()
    # Larger than other bodies may be.
    Image.open(mixed / "141.png").convert("RGB").save(file, "BMP")
    content = file.getvalue() + bytes(2**17)
    made = web.http.post(url, content=content)
    assert made.status_code == 201, made.text
    address = made.json()["address"]
    with answering(redis_server, finished):
        page = read(web, address)
        assert find_numbers(page)[0] == number_of(finished, "141.png")
        rated = read(web, find_links(page, "dislike")[-1])
    assert "Your picture" in rated
    assert find_numbers(rated)
    assert "No worker is running" in read(web, address, 422)


def test_a_picture_is_shown_if_it_is_one_and_is_not_too_large(
    web: WebServer, url: str, mixed: Path
) -> None:
    content = (mixed / "141.png").read_bytes()
    name = web.http.post(url, content=content).json()["address"].rpartition("=")[2]
    shown = web.http.get(f"{url.removesuffix('similar')}pictures/{name}")
    assert (shown.headers["content-type"], shown.content) == ("image/png", content)
    page = web.http.post(url, content=b"<html>").json()["address"].rpartition("=")[2]
    assert web.http.get(f"{url.removesuffix('similar')}pictures/{page}").status_code == 404
    assert web.http.post(url, content=bytes(2**22 + 1)).status_code == 413
    assert web.http.post(f"{url}x", content=bytes(2**16 + 1)).status_code == 413
    assert web.http.post(url).status_code == 422
    assert web.http.post("/jobs/0123456789ab/similar", content=content).status_code == 404


def test_uploads_are_bounded_and_those_used_last_stay() -> None:
    uploads = Uploads(most_bytes=10)
    first, second = uploads.keep(b"1234"), uploads.keep(b"5678")
    assert uploads.find(first) == b"1234"
    third = uploads.keep(b"90ab")
    assert [uploads.find(name) for name in (first, second, third)] == [b"1234", None, b"90ab"]


def test_a_cluster_is_shown_from_both_ends_and_far_images_are_marked(
    web: WebServer, finished: Job
) -> None:
    catalogue, address = finished.catalogue(), f"/jobs/{finished.id}/clusters/0"
    members = catalogue.members(0, 0, 1000)
    assert catalogue.members(0, 0, 1000, farthest=True) == members[::-1]
    assert catalogue.members(0, 3, 2, farthest=True) == members[::-1][3:5]
    assert catalogue.members(0, 1000, 2, farthest=True) == []
    pages = [read(web, address), read(web, f"{address}?order=farthest")]
    numbers = [[int(n) for n in re.findall(r"images/(\d+)/thumbnail", page)] for page in pages]
    assert set(numbers[0]) == {member.number for member in members}
    assert numbers[1][0] == members[-1].number
    far = sum(member.far for member in members)
    assert [page.count(">far from its cluster<") for page in pages] == [far, far]
    assert read(web, f"{address}?order=best", 422)
