"""Lost work is looked for beside the page, whatever a round of it meets."""

import time

import pytest
from polling import wait_until

from shoal import Client
from shoal.producer.web.app import make_site
from shoal.producer.web.server import _sweep_in_background
from shoal.shared.errors import StoreUnavailableError
from shoal.shared.settings import Settings


@pytest.mark.parametrize("error", [StoreUnavailableError("full"), RuntimeError("odd"), OSError()])
def test_rounds_go_on_whatever_one_of_them_met(redis_server, monkeypatch, error):
    with Client(redis_server.url, settings=Settings(sweep_seconds=0.5)) as client:
        rounds = []

        def sweep():
            rounds.append(1)
            raise error

        monkeypatch.setattr(client.sweeper, "sweep", sweep)
        with _sweep_in_background(make_site(client, None)):
            wait_until(lambda: len(rounds) >= 2)


def test_readiness_ends_when_nothing_looks_for_lost_work(web, monkeypatch):
    assert web.http.get("/readyz").status_code == 200
    monkeypatch.setattr(web.site, "swept_at", time.monotonic() - 10)
    assert web.http.get("/readyz").status_code == 200
    monkeypatch.setattr(web.site, "swept_at", time.monotonic() - 500)
    answer = web.http.get("/readyz")
    assert answer.status_code == 503
    assert "Nothing has looked for lost work for 500 s" in answer.json()["error"]
