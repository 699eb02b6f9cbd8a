"""A cluster as operators run it: workers come and go by the backlog, and Prometheus watches."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from polling import wait_until
from servers import Server, find_free_port, start_redis
from shoal_command import Shoal
from web_server import WebServer
from worker_process import Worker

from shoal.shared.settings import Settings

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
TOKEN = "0123456789abcdef"
BRIEF = {"SHOAL_SWEEP_SECONDS": 0.5, "SHOAL_LEASE_SECONDS": 3}
N_BATCHES = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def web(server: Server) -> Iterator[WebServer]:
    with WebServer(server.url, TOKEN, Settings(sweep_seconds=0.5, lease_seconds=3)) as web:
        web.http.headers["Authorization"] = f"Bearer {TOKEN}"
        yield web


class Prometheus:
    """A server of Prometheus with our alerts, which collects each second."""

    def __init__(self, directory: Path, target: str) -> None:
        (directory / "token").write_text(TOKEN)
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DEPLOY / "prometheus" / "alerts.yml")]
        (scrape,) = config["scrape_configs"]
        scrape["authorization"]["credentials_file"] = str(directory / "token")
        scrape["static_configs"] = [{"targets": [target]}]
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{find_free_port()}"
        command = [
            "prometheus",
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={self.url.partition('//')[2]}",
        ]
        self.log = (directory / "log").open("wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)

    def ask(self, query: str) -> list[Any]:
        """Return the series that a query finds now; none before it answers."""
        try:
            answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=30)
        except httpx.TransportError:
            return []
        assert answer.status_code in {200, 503}, answer.text
        return answer.json()["data"]["result"] if answer.status_code == 200 else []

    def rules(self) -> list[Any]:
        """Return the rules of alerts, with what became of them."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=30).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@pytest.fixture(scope="module")
def prometheus(web: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not installed")
    prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), web.url.partition("//")[2])
    yield prometheus
    prometheus.stop()


def read_backlog(web: WebServer) -> dict[str, float]:
    backlog: dict[str, float] = web.http.get("/api/v1/backlog").json()
    return backlog


def test_workers_go_while_a_job_runs_and_come_back_and_nothing_is_done_twice(
    server: Server, web: WebServer, slow_photographs: Path, tmp_path: Path
) -> None:
    assert read_backlog(web)["work"] == 0
    shoal = Shoal(tmp_path / "client", SHOAL_REDIS_URL=server.url, **BRIEF)
    job_id = shoal.submit(slow_photographs, "--batch-size", 4)
    assert read_backlog(web)["work"] == read_backlog(web)["batches_waiting"] == N_BATCHES
    with Worker(shoal.elsewhere(tmp_path / "first")):
        wait_until(lambda: read_backlog(web)["batches_running"], 60, "a batch that runs")
    assert 0 < read_backlog(web)["work"] <= N_BATCHES  # the worker has gone
    with Worker(shoal.elsewhere(tmp_path / "second")):
        wait_until(lambda: read_backlog(web)["work"] == 0, 120, "the end of all work")
    status = shoal.json("status", job_id)
    assert (status["state"], status["images"]["loaded"]) == ("finished", 120)
    lines = web.http.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['shoal_images_total{outcome="loaded"}'] == "120.0"
    for wave in ("loading", "labelling"):
        committed = f'shoal_batch_attempts_total{{outcome="committed",wave="{wave}"}}'
        assert values[committed] == f"{N_BATCHES}.0"
        assert values[f'shoal_batch_seconds_count{{wave="{wave}"}}'] == f"{N_BATCHES}.0"
    assert values['shoal_workers{state="running"}'] == "0.0"


def test_prometheus_collects_what_alerts_and_the_dashboard_ask_for(
    server: Server, web: WebServer, prometheus: Prometheus, tmp_path: Path
) -> None:
    shoal = Shoal(tmp_path / "client", SHOAL_REDIS_URL=server.url, **BRIEF)
    with Worker(shoal.elsewhere(tmp_path / "worker")):
        query = "count_over_time(shoal_worker_cpu_seconds_total[1m]) > 2"
        wait_until(lambda: prometheus.ask(query), 60, "three samples of a worker")
        dashboard = json.loads((DEPLOY / "grafana" / "shoal.json").read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                query = target["expr"].replace("$__rate_interval", "1m").replace("$job", "shoal")
                # Empty where nothing failed, and where Redis has no limit.
                assert prometheus.ask(query) or " > 0" in query, query
    wait_until(lambda: {rule["health"] for rule in prometheus.rules()} == {"ok"}, 30, "all rules")
    assert [rule["name"] for rule in prometheus.rules() if rule["state"] == "firing"] == []
