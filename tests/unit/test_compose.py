"""The promises that docker-compose.yml makes, held without a Docker engine."""

import hashlib
import os
import re
import subprocess
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
DOCKERFILE = (ROOT / "Dockerfile").read_text()
START_REDIS: str = SERVICES["redis"]["command"][-1]
SECRET = "/run/secrets/redis_password"
OURS = ["producer", "web", "worker"]


def test_services_are_redis_worker_web_and_producer() -> None:
    assert set(SERVICES) == {"redis", *OURS}


def test_worker_and_producer_differ_only_in_how_they_are_started() -> None:
    started = {"command", "profiles", "restart", "stop_grace_period", "healthcheck", "mem_limit"}
    assert SERVICES["producer"]["volumes"][:2] == SERVICES["worker"]["volumes"]
    started |= {"volumes"}  # the producer writes results, too
    started |= {"build", "pull_policy"}
    worker, producer = (
        {key: value for key, value in SERVICES[name].items() if key not in started}
        for name in ("worker", "producer")
    )
    assert worker == producer


def test_worker_consumes_and_producer_starts_only_when_asked() -> None:
    assert SERVICES["worker"]["command"] == ["worker", "--concurrency", "${WORKER_PROCESSES:-2}"]
    assert "profiles" not in SERVICES["worker"]
    assert SERVICES["producer"]["profiles"] == ["producer"]


def test_one_service_builds_the_image_of_all() -> None:
    assert [name for name in OURS if "build" in SERVICES[name]] == ["worker"]
    assert {SERVICES[name]["image"] for name in OURS} == {"shoal"}


def test_worker_may_be_scaled() -> None:
    assert not {"container_name", "ports"} & SERVICES["worker"].keys()


def test_worker_has_time_to_finish_its_batches() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "60s"
    assert SERVICES["worker"]["init"] is True


def test_nothing_is_published_but_the_page_to_this_machine() -> None:
    assert not any("network_mode" in service for service in SERVICES.values())
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert published == {"web": ["127.0.0.1:${WEB_PORT:-8080}:8080"]}


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
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"IMAGES"}


def test_redis_keeps_what_it_is_given() -> None:
    command = START_REDIS
    for name, value in SERVER_CONFIGURATION.items():  # as the embedded server does
        assert f"--{name} {value}" in command
    assert '--save ""' in command
    [volume] = SERVICES["redis"]["volumes"]
    name, target = volume.split(":")
    assert (target, name in COMPOSE["volumes"]) == ("/data", True)


def test_redis_refuses_rather_than_fills_the_memory_of_its_machine() -> None:
    assert "--maxmemory ${REDIS_MEMORY:-2gb} --maxmemory-policy noeviction" in START_REDIS


@pytest.mark.parametrize("password", ["plain", " @:/?#[]%$'\"\\`$HOME*é "])
def test_redis_is_told_the_digest_of_any_password_on_standard_input(
    tmp_path: Path, password: str
) -> None:
    given = start_redis(tmp_path, f"{password}\n")
    digest = hashlib.sha256(password.encode()).hexdigest()
    assert (tmp_path / "input").read_text() == f"user default on #{digest} ~* &* +@all\n"
    assert password not in (tmp_path / "arguments").read_text()
    assert given.returncode == 0


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_redis_wants_a_password_and_does_not_start_without(
    tmp_path: Path, content: str | None
) -> None:
    assert start_redis(tmp_path, content).returncode != 0
    assert not (tmp_path / "arguments").exists()


def start_redis(directory: Path, secret: str | None) -> "subprocess.CompletedProcess[str]":
    """Run what the container of Redis runs, with a program that notes what it is given."""
    if secret is not None:
        (directory / "redis_password").write_text(secret)
    program = directory / "docker-entrypoint.sh"
    program.write_text('#!/bin/sh\ncat > "$NOTES/input"; echo "$@" > "$NOTES/arguments"\n')
    program.chmod(0o755)
    script = START_REDIS.replace("$$", "$").replace("/run/secrets", str(directory))
    script = script.replace("${REDIS_MEMORY:-2gb}", "2gb")
    environment = {"PATH": f"{directory}:{os.environ['PATH']}", "NOTES": str(directory)}
    return subprocess.run(
        ["/bin/sh", "-euc", script], env=environment, capture_output=True, text=True
    )


def test_the_password_is_a_file_that_shoal_and_redis_read() -> None:
    for name, service in SERVICES.items():
        assert service["secrets"] == ["redis_password"], name
        variables = service.get("environment", {})
        assert "PASSWORD" not in " ".join(variables.keys() - {"SHOAL_REDIS_PASSWORD_FILE"})
    assert SERVICES["worker"]["environment"]["SHOAL_REDIS_PASSWORD_FILE"] == SECRET


@pytest.mark.parametrize("name", OURS)
def test_nothing_starts_before_redis_answers(name: str) -> None:
    assert SERVICES[name]["depends_on"]["redis"]["condition"] == "service_healthy"
    assert "redis-cli ping" in SERVICES["redis"]["healthcheck"]["test"][1]


def test_worker_and_page_say_how_they_are() -> None:
    assert SERVICES["worker"]["healthcheck"]["test"] == ["CMD", "shoal", "worker", "--check"]
    script = SERVICES["web"]["healthcheck"]["test"][-1]
    compile(script, "healthcheck", "exec")
    assert "/readyz" in script


@pytest.mark.parametrize("name", SERVICES)
def test_logs_do_not_fill_the_disk(name: str) -> None:
    assert {"max-size", "max-file"} == SERVICES[name]["logging"]["options"].keys()


@pytest.mark.parametrize("name", OURS)
def test_images_are_mounted_read_only_and_are_all_that_is_read(name: str) -> None:
    volume = SERVICES[name]["volumes"][0]
    assert re.fullmatch(r"\$\{IMAGES:\?.*\}", volume["source"])
    assert volume == {
        "type": "bind",
        "source": volume["source"],
        "target": "/images",
        "read_only": True,
        "bind": {"create_host_path": False},
    }
    assert SERVICES[name]["environment"]["SHOAL_IMAGE_ROOTS"] == "/images"


@pytest.mark.parametrize("name", OURS)
def test_shards_are_in_one_volume_that_any_user_of_the_image_may_write(name: str) -> None:
    volume = SERVICES[name]["volumes"][1]
    directory = volume["target"]
    assert volume["source"] in COMPOSE["volumes"]
    settings = Settings(shards_url=SERVICES[name]["environment"]["SHOAL_SHARDS_URL"])
    place = find_place(settings, connect("redis://localhost"), is_embedded=False)
    assert str(place.path("x")) == f"{directory}/x"
    made = r"install --directory --mode=1777 (\S+)"
    assert re.findall(made, DOCKERFILE) == [directory]


@pytest.mark.parametrize("name", OURS)
def test_process_may_change_nothing_but_tmp(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_process_in_the_image_is_not_root() -> None:
    users = re.findall(r"^USER (\d+:\d+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    assert {SERVICES[name]["user"] for name in OURS} == {f"${{RUN_AS:-{users[0]}}}"}


def test_image_is_built_of_nothing_but_what_is_let_in() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert {f"!{source}" for source in sources} <= set(allowed)
    assert sources >= {"shoal", "shared", "worker", "producer", "uv.lock"}


def test_bases_have_fixed_versions() -> None:
    bases = re.findall(r"^ARG \w+_IMAGE=(.+)$", DOCKERFILE, re.MULTILINE)
    stages = re.findall(r" AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) <= {"${PYTHON_IMAGE}", *stages}
    for image in (*bases, SERVICES["redis"]["image"]):
        assert re.fullmatch(r"\w+:\d+\.\d+\.\d+-[\w-]+", image)
    assert re.search(r"pip install .*\buv==\d", DOCKERFILE)


def test_no_variable_would_be_rejected_as_an_unknown_setting() -> None:
    known = {f"SHOAL_{field.name.upper()}" for field in fields(Settings)}
    used = {name for service in OURS for name in SERVICES[service]["environment"]}
    asked_of_the_user = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert {name for name in used | asked_of_the_user if name.startswith("SHOAL_")} <= known
