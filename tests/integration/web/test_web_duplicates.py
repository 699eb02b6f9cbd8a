"""The page of duplicates, of images of which three are one file."""

import re
from html import unescape

import pytest
from web_server import WebServer

from shoal.producer.job import Job
from shoal.producer.web.pages import duplicates as pages
from shoal.shared.errors import SourceError
from shoal.shared.findings import Duplicate, Turn


def read(web: WebServer, job: Job, number: int = 1) -> str:
    answer = web.http.get(f"/jobs/{job.id}/duplicates?page={number}")
    assert answer.status_code == 200
    return answer.text


def find_captions(page: str) -> list[tuple[str, str]]:
    """The path of each image shown, and its note."""
    figures = re.findall(r'data-path="([^"]*)"(.*?)</figure>', page, re.DOTALL)
    notes = (re.search(r'<(?:small title|p class)="[^"]*">([^<]*)', rest) for _, rest in figures)
    found = zip(figures, notes, strict=True)
    return [(unescape(path), unescape(note[1]) if note else "") for (path, _), note in found]


def test_copies_stand_side_by_side_and_one_is_kept(web: WebServer, finished: Job) -> None:
    page = read(web, finished)
    captions = find_captions(page)
    copies = [path for path, note in captions if note == "same bytes as another"]
    assert len(copies) == 2
    assert '<img src=x onerror="x()">.png' in copies
    assert ("140.png", "kept") in captions
    assert page.count('class="kept"') == page.count('<h2 id="group-')
    assert "8 × 8 · 1 KB" in page
    extra = finished.plan_duplicates()
    assert f"{len(extra.files)} files would be moved" in page
    assert "--keep largest --move" in page
    only_exact = web.http.get(f"/jobs/{finished.id}/duplicates?keep=first&exact=1").text
    assert "2 files would be moved</strong> (2 exact), which frees 1 KB" in only_exact
    assert "--keep first --exact --move" in only_exact


def test_all_decisions_are_there_as_files(web: WebServer, finished: Job) -> None:
    address = f"/api/v1/jobs/{finished.id}/duplicates"
    rows = web.http.get(f"{address}/decided.csv?keep=first&exact=1").text.splitlines()
    assert rows[0].endswith("size_bytes,modified_at,decision")
    assert rows[1].startswith("0,140.png,")
    refused = web.http.get(f"{address}/extra.txt?keep=first&exact=1")
    assert (refused.status_code, "line break" in refused.json()["error"]) == (422, True)


def test_without_the_files_the_page_shows_what_the_job_has_seen(
    web: WebServer, finished: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SourceError("not on this machine")

    monkeypatch.setattr(pages, "Keeper", refuse)
    page = read(web, finished)
    assert "is not on this machine" in page
    assert [note for path, note in find_captions(page) if note.endswith(" 140.png")]


def test_each_group_is_on_one_page(
    web: WebServer, finished: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "GROUPS_PER_PAGE", 1)
    groups = list(pages.split_groups(finished.duplicates()))
    for number, group in enumerate(groups, start=1):
        page = read(web, finished, number)
        assert f"{len(group)} images" in page
        assert f">Group {group[0].group} <" in page, "the number is that of duplicates.csv"
        assert len(re.findall('src="[^"]*/thumbnail"', page)) == min(
            len(group), pages.SHOWN_OF_GROUP
        )
    assert "None here." in read(web, finished, len(groups) + 1)


def test_a_job_leads_to_its_duplicates(web: WebServer, finished: Job) -> None:
    page = web.http.get(f"/jobs/{finished.id}").text
    counts = finished.summary().duplicates
    assert counts
    assert f'"/jobs/{finished.id}/duplicates">{counts.images} images' in page


def test_a_search_that_failed_is_told(
    web: WebServer, finished: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = finished.summary()
    object.__setattr__(summary, "duplicates", None)
    monkeypatch.setattr(Job, "summary", lambda _: summary)
    assert "The search for duplicates failed" in read(web, finished)
    answer = web.http.get(f"/api/v1/jobs/{finished.id}/downloads/duplicates.csv")
    assert (answer.status_code, "failed" in answer.json()["error"]) == (422, True)


def test_a_note_says_what_an_image_is_to_the_others() -> None:
    group = [
        Duplicate(0, "a", 0, like="c", distance=2),
        Duplicate(0, "b", 0, like="a", distance=0),
        Duplicate(0, "c", 1, like="a", distance=2),
        Duplicate(0, "d", 1, like="c", distance=0),
        Duplicate(0, "e", 2, like="a", distance=1, turn=Turn.MIRRORED),
        Duplicate(0, "f", 3, like="a", distance=1, turn=Turn.BY_90),
    ]
    firsts: dict[int, str] = {}
    notes = [pages.describe_relation(image, firsts) for image in group]
    turned = ["looks like a, mirrored", "looks like a, turned 90°"]
    assert notes == ["", "a copy of a", "looks like a", "a copy of c", *turned]


def test_a_copied_image_is_shown_once_and_says_how_many_copies_it_has(
    web: WebServer, finished: Job
) -> None:
    summary = finished.summary()
    copied = {path: n for found in summary.clusters for path, n in found.copies.items()}
    assert list(copied.values()) == [2]
    captions = find_captions(web.http.get(f"/jobs/{finished.id}").text)
    names = {"140.png", '<img src=x onerror="x()">.png', "caf\\xe9\n.png"}
    shown = [note for path, note in captions if path in names]
    assert shown
    assert set(shown) == {"+2 copies"}


def test_duplicates_come_over_http_with_what_one_decides_by(web: WebServer, finished: Job) -> None:
    address = f"/api/v1/jobs/{finished.id}/duplicates"
    counts = finished.summary().duplicates
    assert counts
    rows = web.http.get(address, params={"count": 1000}).json()
    assert len(rows) == counts.images
    assert web.http.get(address, params={"start": 1, "count": 2}).json() == rows[1:3]
    asked: dict[str, str | int] = {"keep": "first", "exact": 1}
    kept = web.http.get(address, params=asked).json()
    assert [(row["path"], row["decision"]) for row in kept[:2]] == [
        ("140.png", "keep"),
        ('<img src=x onerror="x()">.png', "extra"),
    ]
    assert {(row["width"], row["height"], row["kind"]) for row in kept} == {(8, 8, "exact")}
    assert web.http.get(address, params=asked | {"start": 2}).json() == kept[2:]
    assert web.http.get(address, params={"keep": "best"}).status_code == 422


def test_who_reads_files_of_duplicates_when_others_do_is_told_to_wait(
    web: WebServer, finished: Job
) -> None:
    address = f"/api/v1/jobs/{finished.id}/duplicates"
    held = [web.site.readings.acquire() for _ in range(2)]
    try:
        busy = web.http.get(address, params={"keep": "first"})
        assert web.http.get(address).status_code == 200
    finally:
        for _ in held:
            web.site.readings.release()
    assert busy.status_code == 429
    assert "Retry-After" in busy.headers
    assert web.http.get(address, params={"keep": "first"}).status_code == 200
