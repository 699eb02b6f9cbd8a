"""What `shoal serve` refuses before it serves anything."""

import socket
import sys

import pytest
from click.testing import CliRunner, Result

from shoal.producer.cli.main import main
from shoal.producer.web.pages.login import safe_path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOAL_WEB_TOKEN", raising=False)


def serve(*options: str) -> Result:
    return CliRunner().invoke(main, ["serve", *options])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_strangers_need_a_token(host: str) -> None:
    refused = serve("--host", host)
    assert refused.exit_code == 2
    assert "set SHOAL_WEB_TOKEN" in refused.output


def test_a_short_token_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_WEB_TOKEN", "short")
    refused = serve("--host", "0.0.0.0")
    assert refused.exit_code == 2
    assert "SHOAL_WEB_TOKEN" in refused.output


def test_a_port_that_is_taken_is_told_with_its_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = serve("--port", str(taken.getsockname()[1]))
    assert refused.exit_code == 1
    assert "choose another --port" in refused.output


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shoal.producer.web.server", None)
    refused = serve()
    assert refused.exit_code == 2
    assert "pip install fastapi uvicorn prometheus-client" in refused.output


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/jobs/1", "/jobs/1"), ("//evil", "/"), ("/\\evil", "/"), ("evil", "/"), ("/\r\nx: y", "/")],
)
def test_a_login_leads_to_this_site_only(path: str, expected: str) -> None:
    assert safe_path(path) == expected
