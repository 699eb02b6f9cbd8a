"""The gate: who may see and change what, whatever a browser is made to send."""

import re
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from servers import Server
from starlette.requests import Request
from web_server import WebServer

from shoal.producer.job import Job
from shoal.producer.report.failures import REMEDIES
from shoal.producer.web.access.sessions import SESSION_COOKIE, Access

TOKEN = "correct horse battery staple €"
BEARER = {b"authorization": b"Bearer " + TOKEN.encode()}


@pytest.fixture(scope="module")
def private(redis_server: Server) -> Iterator[WebServer]:
    """The page with a token."""
    with WebServer(redis_server.url, TOKEN) as private:
        yield private


def log_in(web: WebServer, token: str, onward: str = "/") -> httpx.Response:
    form = {"token": token, "next": onward}
    return httpx.post(f"{web.url}/login", data=form)


def test_a_program_needs_the_token(private: WebServer) -> None:
    for path in ("/api/v1/jobs", "/api/v1/openapi.json", "/metrics"):
        refused = private.http.get(path)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert private.http.get(path, headers=BEARER).status_code == 200
    for wrong in ("Bearer", "Bearer x", f"Basic {TOKEN[:-2]}", "Bearer \xff"):
        headers = {b"authorization": wrong.encode("latin-1")}
        assert private.http.get("/api/v1/jobs", headers=headers).status_code == 401
    assert private.http.get("/healthz").status_code == 200


def test_a_person_is_led_to_the_login_and_back(private: WebServer) -> None:
    led = private.http.get("/jobs/0123456789ab")
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=/jobs/0123456789ab")
    answer = log_in(private, TOKEN, "/jobs/0123456789ab")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/0123456789ab")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    session = {"cookie": cookie.partition(";")[0]}
    assert private.http.get("/", headers=session).status_code == 200


def test_a_session_begun_behind_https_is_never_sent_without(redis_server: Server) -> None:
    behind_proxy = {"X-Forwarded-Proto": "https"}
    for proxies, is_secure in ((["127.0.0.0/8"], True), (["127.0.0.2"], False), ([], False)):
        with WebServer(redis_server.url, TOKEN, proxies=proxies) as web:
            answer = httpx.post(
                f"{web.url}/login", data={"token": TOKEN}, headers=behind_proxy, timeout=30
            )
            assert ("Secure" in answer.headers["set-cookie"].split("; ")) is is_secure


def test_a_session_of_another_token_or_made_up_does_not_count(
    redis_server: Server, private: WebServer
) -> None:
    session = log_in(private, TOKEN).headers["set-cookie"].partition(";")[0]
    forged = session.replace("=1", "=9", 1)
    with WebServer(redis_server.url, "another token of this length") as other:
        assert other.http.get("/", headers={"cookie": session}).status_code == 303
    for cookie in (forged, "shoal_session=", "shoal_session=..", "shoal_session=x.y.z"):
        assert private.http.get("/", headers={"cookie": cookie}).status_code == 303


def test_a_session_counts_for_a_week_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    access, now = Access(TOKEN), time.time()
    cookie = f"{SESSION_COOKIE}={access.make_session()}"
    scope = {"type": "http", "headers": [(b"cookie", cookie.encode())]}
    for days, counts in ((6.9, True), (7.1, False)):
        monkeypatch.setattr(time, "time", lambda days=days: now + days * 86_400)
        assert access.admits(Request(scope)) is counts


def test_a_session_that_was_ended_counts_nowhere_any_more(
    redis_server: Server, private: WebServer
) -> None:
    ended, other = ({"cookie": log_in(private, TOKEN).headers["set-cookie"]} for _ in range(2))
    with WebServer(redis_server.url, TOKEN) as twin:
        assert private.http.post("/logout", headers=ended).headers["location"] == "/login"
        twin.site.share_ended_sessions()  # as it does every few seconds
        with WebServer(redis_server.url, TOKEN) as later:
            for web in (private, twin, later):
                assert web.http.get("/", headers=ended).status_code == 303
                assert web.http.get("/", headers=other).status_code == 200


def test_a_session_ends_while_redis_is_away(own_server: Server) -> None:
    own_server.start()
    with WebServer(own_server.url, TOKEN) as web:
        session = {"cookie": log_in(web, TOKEN).headers["set-cookie"]}
        own_server.stop()
        assert web.http.post("/logout", headers=session).headers["location"] == "/login"
        assert web.http.get("/static/page.js", headers=session).status_code == 200
        assert web.http.get("/", headers=session).status_code == 303
        own_server.start()
        web.site.share_ended_sessions()
        with WebServer(own_server.url, TOKEN) as later:
            assert later.http.get("/", headers=session).status_code == 303


def test_a_link_to_the_login_leads_nowhere_else(private: WebServer) -> None:
    for onward in ("//evil.example", "https://evil.example", "/\\evil.example", "/\n/evil"):
        assert log_in(private, TOKEN, onward).headers["location"] == "/"


def forgive_later(web: WebServer) -> None:
    """Let the rate of guesses be so low that a slow test meets it too."""
    web.site.access.guesses.seconds = 1000


GUESSES: dict[str, Callable[[WebServer, str], httpx.Response]] = {
    "login": log_in,
    "header": lambda web, guess: web.http.get("/metrics", headers={"authorization": guess}),
    "cookie": lambda web, guess: httpx.get(f"{web.url}/", headers={"cookie": guess}),
    "foreign": lambda web, guess: web.http.post(
        "/login", headers={"authorization": guess, "origin": "https://evil.example"}
    ),
}
FORMS = {"header": "Bearer {}", "cookie": f"{SESSION_COOKIE}=9999999999.{{}}.0"} | {
    "login": "{}",
    "foreign": "bearer {}",
}


@pytest.mark.parametrize("way", GUESSES)
def test_guessing_the_token_is_slowed_down_in_whatever_way_and_from_wherever(
    redis_server: Server, way: str
) -> None:
    with WebServer(redis_server.url, TOKEN) as web:
        forgive_later(web)
        guesses = [FORMS[way].format(f"guess{number}") for number in range(20)]
        answers = [GUESSES[way](web, guess) for guess in guesses]
        assert 429 not in {answer.status_code for answer in answers[:5]}
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        # It is the same rate in all ways, whatever address a header claims.
        claimed = {"x-forwarded-for": "192.0.2.1", "authorization": "Bearer guess"}
        assert web.http.get("/api/v1/jobs", headers=claimed).status_code == 429
        assert log_in(web, "guess").status_code == 429


def test_the_right_token_is_let_in_while_others_guess(redis_server: Server) -> None:
    with WebServer(redis_server.url, TOKEN) as web:
        forgive_later(web)
        session = {"cookie": log_in(web, TOKEN).headers["set-cookie"].partition(";")[0]}
        assert [log_in(web, "guess") for _ in range(20)][-1].status_code == 429
        assert log_in(web, TOKEN).status_code == 303
        assert web.http.get("/api/v1/jobs", headers=BEARER).status_code == 200
        assert web.http.get("/", headers=session).status_code == 200
        # Nor does anybody pay for it who has no token yet, or whose session is over.
        assert web.http.get("/login").status_code == 200
        assert web.http.get("/").status_code == 303


def test_a_browser_with_an_old_cookie_sends_it_once(private: WebServer) -> None:
    refused = private.http.get("/", headers={"cookie": f"{SESSION_COOKIE}=1.2.3"})
    assert "Max-Age=0" in refused.headers["set-cookie"].split("; ")
    assert "set-cookie" not in private.http.get("/").headers


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://["},
        {"origin": "http://[::1"},
        {"origin": "http://[not-an-address]"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_another_site_changes_nothing(
    web: WebServer, private: WebServer, headers: dict[str, str]
) -> None:
    session = log_in(private, TOKEN).headers["set-cookie"].partition(";")[0]
    for server in (web, private):
        for path in ("/api/v1/jobs/0123456789ab/cancel", "/login", "/logout"):
            sent = headers | {"cookie": session}
            assert server.http.post(path, headers=sent).status_code == 403
    bearer = BEARER | {name.encode(): value.encode() for name, value in headers.items()}
    answer = private.http.post("/api/v1/jobs/0123456789ab/cancel", headers=bearer)
    assert answer.status_code == 404


def test_the_page_itself_may_change_things(web: WebServer) -> None:
    for headers in ({"origin": web.url}, {"sec-fetch-site": "same-origin"}, {}):
        path = "/api/v1/jobs/0123456789ab/cancel"
        assert web.http.post(path, headers=headers).status_code == 404


HOSTS = ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "127.0.0.1@evil.example")
NO_HOSTS = ("", "[", "]", "[::1", "[]", "[1]", "[v1.x]", "::1]", "[::1]x", "127.0.0.1/x", "?#")


@pytest.mark.parametrize("host", [*HOSTS, *NO_HOSTS])
def test_a_name_that_was_bent_to_this_machine_gets_nothing(web: WebServer, host: str) -> None:
    for path in ("/", "/api/v1/jobs", "/static/page.js", "/healthz"):
        assert web.http.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8080"])
def test_names_of_this_machine_are_answered(web: WebServer, host: str) -> None:
    assert web.http.get("/", headers={"host": host}).status_code == 200


def test_every_answer_makes_a_browser_careful(web: WebServer, private: WebServer) -> None:
    answers = [web.http.get(path) for path in ("/", "/nowhere", "/static/page.js", "/api/v1/jobs")]
    for answer in (*answers, private.http.get("/"), private.http.get("/api/v1/jobs")):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_pages_hold_no_script_and_no_style_of_their_own(web: WebServer, finished: Job) -> None:
    paths = ["", "/clusters/0", "/clusters/1", "/failures"]
    for page in [web.http.get(f"/jobs/{finished.id}{path}") for path in paths]:
        assert page.status_code == 200
        # What stands in quotes is a value.
        tags = " ".join(re.findall(r"<[^>]*>", re.sub(r'"[^"]*"', '""', page.text)))
        assert not re.search(r'<script(?! type="" src=)|<style|\sstyle=|\son\w+=', tags)


def test_a_hostile_name_is_text(web: WebServer, finished: Job) -> None:
    pages = [web.http.get(f"/jobs/{finished.id}/clusters/{label}").text for label in (0, 1)]
    assert "&lt;img src=x onerror=&#34;x()&#34;&gt;.png" in "".join(pages)
    assert "<img src=x" not in "".join(pages)
    assert "caf?\n.png" in "".join(pages)


def test_the_report_which_has_its_own_script_is_shown_as_of_no_site(
    web: WebServer, finished: Job
) -> None:
    answer = web.http.get(f"/jobs/{finished.id}/report")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy


def test_no_page_frames_anything_or_is_framed(web: WebServer, finished: Job) -> None:
    for path in ("/", f"/jobs/{finished.id}", f"/jobs/{finished.id}/map"):
        answer = web.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "frame-src" not in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"


def test_no_file_beside_the_static_ones_is_served(web: WebServer) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/"):
        assert web.http.get(path).status_code == 404


def test_a_cluster_that_a_job_has_not_is_not_found(web: WebServer, finished: Job) -> None:
    assert web.http.get(f"/jobs/{finished.id}/clusters/-1").status_code == 200
    answer = web.http.get(f"/jobs/{finished.id}/clusters/99", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert f"Job {finished.id} has no cluster 99." in answer.text


def test_failures_are_shown_with_what_to_do(web: WebServer, finished: Job) -> None:
    page = web.http.get(f"/jobs/{finished.id}/failures").text
    for failure in finished.failures():
        assert f"<dt>{failure.reason}</dt><dd>{REMEDIES[failure.reason][0]}" in page


def test_a_fault_is_told_as_a_page_to_a_person(web: WebServer) -> None:
    answer = web.http.get("/jobs/nosuch<b>")
    assert answer.status_code == 404
    assert "No job nosuch&lt;b&gt;" in answer.text
