"""Alerts and the dashboard ask for metrics that are there; promtool holds what they say."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from metrics_page import make_page
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "shoal.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
METRIC = re.compile(r"\b(?:shoal|process)_[a-z_]+")
MATCHER = re.compile(r"""(\w+)(?:=~|!~|!=|=)"([^"]*)\"""")

PAGE = make_page()
SAMPLES = [s for family in text_string_to_metric_families(PAGE) for s in family.samples]
LABELS = {
    name: {k for s in SAMPLES if s.name == name for k in s.labels}
    for name in {s.name for s in SAMPLES}
}
VALUES = {(k, v) for s in SAMPLES for k, v in s.labels.items()}


def run_promtool(*arguments: str, text: str = "") -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed: Debian's package is prometheus")
    command = ["promtool", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_metrics_are_named_by_the_rules_of_prometheus() -> None:
    run_promtool("check", "metrics", text=PAGE)


def test_alerts_come_when_they_should_and_only_then() -> None:
    run_promtool("test", "rules", str(PROMETHEUS / "alerts.test.yml"))


def test_every_alert_is_tried_and_explained() -> None:
    names = {rule["alert"] for rule in RULES}
    tests = yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text())["tests"]
    tried = [case for test in tests for case in test["alert_rule_test"]]
    assert names == {case["alertname"] for case in tried if "exp_alerts" in case}
    page = (ROOT / "docs/how-to/operate-a-cluster.md").read_text()
    assert names == set(re.findall(r"^\| `(Shoal\w+)` \|", page, re.MULTILINE))


def test_example_of_a_configuration_is_one(tmp_path: Path) -> None:
    run_promtool("check", "config", "--syntax-only", str(PROMETHEUS / "prometheus.yml"))


@pytest.mark.parametrize("query", [*(rule["expr"] for rule in RULES), *QUERIES])
def test_queries_ask_for_metrics_labels_and_values_that_are_there(query: str) -> None:
    for name in METRIC.findall(query):
        assert name in LABELS, name
    for label, value in MATCHER.findall(query):
        if label != "job":
            assert {(label, part) for part in value.split("|")} <= VALUES


def test_queries_of_the_dashboard_are_of_the_language_of_prometheus(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(QUERIES)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run_promtool("check", "rules", str(path))


def test_every_metric_is_on_the_dashboard_or_behind_it() -> None:
    shown = {name for query in QUERIES for name in METRIC.findall(query)}
    named = {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in LABELS if name.startswith("shoal_")
    }
    asked = {re.sub(r"_bucket$", "", name) for name in shown}
    assert named - asked == {"shoal_build_info"}  # by which the job is chosen
    assert "label_values(shoal_build_info, job)" in json.dumps(DASHBOARD)


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        place = SimpleNamespace(**panel["gridPos"])
        columns, rows = range(place.x, place.x + place.w), range(place.y, place.y + place.h)
        cells = {(x, y) for x in columns for y in rows}
        assert place.x + place.w <= 24
        assert not cells & taken
        taken |= cells
