"""The promises that docker-compose.yml makes, held without a Docker engine."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from shoal.producer.cli.main import main
from shoal.shared.redis.connection import connect
from shoal.shared.server.places import find_place
from shoal.shared.server.valkey import SERVER_CONFIGURATION
from shoal.shared.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ["producer", "web", "worker"]


def test_services_are_redis_worker_web_and_producer() -> None:
    assert set(SERVICES) == {"redis", *OURS}


def test_worker_and_producer_differ_only_in_how_they_are_started() -> None:
    started = {"command", "profiles", "restart", "stop_grace_period"}
    worker, producer = (
        {key: value for key, value in SERVICES[name].items() if key not in started}
        for name in ("worker", "producer")
    )
    assert worker == producer


def test_worker_consumes_and_producer_starts_only_when_asked() -> None:
    assert SERVICES["worker"]["command"] == ["worker", "--concurrency", "${WORKER_PROCESSES:-2}"]
    assert "profiles" not in SERVICES["worker"]
    assert SERVICES["producer"]["profiles"] == ["producer"]


def test_worker_may_be_scaled() -> None:
    assert not {"container_name", "ports"} & SERVICES["worker"].keys()


def test_worker_has_time_to_finish_its_batches() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "60s"
    assert SERVICES["worker"]["init"] is True


def test_nothing_is_published_but_the_page_to_this_machine() -> None:
    assert not any("network_mode" in service for service in SERVICES.values())
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert published == {"web": ["127.0.0.1:8080:8080"]}


def test_page_starts_only_when_asked_and_not_without_a_token() -> None:
    web = SERVICES["web"]
    assert web["profiles"] == ["web"]
    assert web["environment"] == SERVICES["worker"]["environment"] | {
        "SHOAL_WEB_TOKEN": "${WEB_TOKEN:-}"
    }
    refused = CliRunner().invoke(main, web["command"], env={"SHOAL_WEB_TOKEN": ""})
    assert refused.exit_code == 2
    assert "set SHOAL_WEB_TOKEN" in refused.output


def test_nothing_is_asked_of_those_who_start_no_page_for_its_sake() -> None:
    # Compose asks for these whatever is started: it reads variables before profiles.
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"REDIS_PASSWORD", "IMAGES"}


def test_redis_keeps_what_it_is_given() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    for name, value in SERVER_CONFIGURATION.items():  # as the embedded server does
        assert f"--{name} {value}" in command
    [volume] = SERVICES["redis"]["volumes"]
    name, target = volume.split(":")
    assert (target, name in COMPOSE["volumes"]) == ("/data", True)


def test_redis_takes_every_argument_as_text() -> None:
    # An unquoted yes is a boolean in YAML, which is no argument.
    assert {type(argument) for argument in SERVICES["redis"]["command"]} == {str}


def test_redis_wants_a_password_and_does_not_start_without() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--requirepass") + 1].startswith("${REDIS_PASSWORD:?")


@pytest.mark.parametrize("name", OURS)
def test_nothing_starts_before_redis_answers(name: str) -> None:
    assert SERVICES[name]["depends_on"]["redis"]["condition"] == "service_healthy"
    assert "redis-cli ping" in SERVICES["redis"]["healthcheck"]["test"][1]


@pytest.mark.parametrize("name", OURS)
def test_images_are_mounted_read_only_and_are_all_that_is_read(name: str) -> None:
    volume, _ = SERVICES[name]["volumes"]
    assert re.fullmatch(r"\$\{IMAGES:\?.*\}:/images:ro", volume)
    assert SERVICES[name]["environment"]["SHOAL_IMAGE_ROOTS"] == "/images"


@pytest.mark.parametrize("name", OURS)
def test_shards_are_in_one_volume_that_the_user_of_the_image_may_write(name: str) -> None:
    _, volume = SERVICES[name]["volumes"]
    source, directory = volume.split(":")
    assert source in COMPOSE["volumes"]
    settings = Settings(shards_url=SERVICES[name]["environment"]["SHOAL_SHARDS_URL"])
    place = find_place(settings, connect("redis://localhost"), is_embedded=False)
    assert str(place.path("x")) == f"{directory}/x"
    made = r"install --directory --owner=shoal --group=shoal --mode=700 (\S+)"
    assert re.findall(made, (ROOT / "Dockerfile").read_text()) == [directory]


@pytest.mark.parametrize("name", OURS)
def test_process_may_change_nothing_but_tmp(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_process_in_the_image_is_not_root() -> None:
    users = re.findall(r"^USER (\d+):\d+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert "0" not in users


def test_no_variable_would_be_rejected_as_an_unknown_setting() -> None:
    known = {f"SHOAL_{field.name.upper()}" for field in fields(Settings)}
    used = {name for service in OURS for name in SERVICES[service]["environment"]}
    asked_of_the_user = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert {name for name in used | asked_of_the_user if name.startswith("SHOAL_")} <= known
