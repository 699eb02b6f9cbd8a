"""The image and docker-compose.yml with a real engine, as the how-to for many machines has them."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator

import pytest
from docker_engine import ROOT, DockerEngine, running_engine
from PIL import Image

from benchmarks.photographs import make_photographs

# An engine is installed, the image built, and a worker killed eight times.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

USER = 1000
HOME = "home/anna: her home"
PORT = 8090
SOURCE_LAYER_BYTES = 20_000_000
HOW_TO = (ROOT / "docs" / "how-to" / "many-machines.md").read_text()
# Written once, by the user whom the containers run as.
ONCE = re.findall(r"```sh\n(mkdir .* secrets .*)\n```", HOW_TO)[0]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    """An engine on whose machine one user has a closed folder of images and has said so, once."""
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        pictures = engine.root / HOME / "Pictures"
        pictures.mkdir(parents=True)
        make_photographs(pictures / "photographs", 40)
        (pictures / "large").mkdir()
        # 432 MB once it is decoded.
        Image.new("RGB", (12_000, 12_000), "navy").save(pictures / "large" / "a.png")
        Image.new("RGB", (1_200, 1_200), "teal").save(pictures / "large" / "b.png")
        engine.output("chown", "-R", f"{USER}:{USER}", f"/{HOME}")
        engine.output("chmod", "700", f"/{HOME}/Pictures", f"/{HOME}")
        shutil.chown(engine.project, USER, USER)
        assert write_once(engine) == 0
        with (engine.project / ".env").open("a") as file:
            file.write(f"WEB_PORT={PORT}\n")
        yield engine


@pytest.fixture(scope="module")
def up(engine: DockerEngine) -> DockerEngine:
    """The engine with a Redis, two workers and the page."""
    engine.compose("up", "--detach", "--wait", "--build", "--scale", "worker=2")
    return engine


@pytest.fixture(scope="module")
def job(up: DockerEngine) -> str:
    """A finished job whose results are in `results/first`."""
    up.shoal("run", "/images/photographs", "--clusters", 3, "--out", "/results/first")
    status = json.loads((up.project / "results" / "first" / "job.json").read_text())
    return str(status["status"]["job_id"])


def write_once(engine: DockerEngine) -> int:
    """Run the documented line; return its exit code."""
    user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    return engine.run(*user, "sh", "-c", ONCE, HOME=f"/{HOME}").returncode


def read_password(engine: DockerEngine) -> str:
    return (engine.project / "secrets" / "redis_password").read_text().strip()


def test_the_line_that_sets_up_changes_nothing_when_it_is_run_again(engine: DockerEngine) -> None:
    files = [engine.project / ".env", engine.project / "secrets" / "redis_password"]
    before = [path.read_text() for path in files]
    assert write_once(engine) != 0
    assert [path.read_text() for path in files] == before


def test_up_waits_until_all_are_healthy(up: DockerEngine) -> None:
    listed = up.compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines()
    assert sorted(listed) == ["redis healthy", "web healthy", *2 * ["worker healthy"]]


def test_another_terminal_starts_nothing_anew(up: DockerEngine) -> None:
    before = up.compose("ps", "--quiet")
    up.compose("up", "--detach", "--wait", "--scale", "worker=2")
    assert up.compose("ps", "--quiet") == before


def test_results_of_a_closed_folder_belong_to_its_user(up: DockerEngine, job: str) -> None:
    labels = up.project / "results" / "first" / "labels.csv"
    assert labels.read_text().count("\n") == 41
    assert labels.stat().st_uid == USER


def test_the_image_writes_parquet_to_standard_output(up: DockerEngine, job: str) -> None:
    table = up.shoal("result", job, "--format", "parquet", "-o", "-")
    assert table[:4] == table[-4:] == b"PAR1"


def test_the_page_is_at_the_port_that_was_chosen(up: DockerEngine, job: str) -> None:
    variables = dict(line.split("=", 1) for line in (up.project / ".env").read_text().splitlines())
    listed = json.loads(up.fetch(PORT, "/api/v1/jobs", variables["WEB_TOKEN"]))
    assert job in json.dumps(listed)


def test_nobody_sees_the_password_in_lists_of_processes_or_containers(up: DockerEngine) -> None:
    inspected = up.output("sh", "-c", "docker inspect $(docker ps --all --quiet)").decode()
    processes = up.output("sh", "-c", "cat /proc/[0-9]*/cmdline").decode(errors="replace")
    assert "redis-server" in processes
    assert "redis_password" in inspected
    assert read_password(up) not in inspected + processes


def test_a_folder_that_is_not_there_is_refused_and_not_made(up: DockerEngine) -> None:
    command = shlex.split("docker compose run --rm -T producer jobs")
    refused = up.run(*command, IMAGES="/not/there")
    assert refused.returncode != 0
    assert b"/not/there" in refused.stderr
    assert not (up.root / "not").exists()


def test_a_change_of_the_source_is_a_small_layer(up: DockerEngine) -> None:
    before = list_layers(up)
    with (up.project / "shared" / "text.py").open("a") as file:
        file.write("# changed\n")
    up.compose("build", "--quiet")
    after = list_layers(up)
    changed = [one for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) == 1
    sizes = up.output("docker", "history", "--human=false", "--format", "{{.Size}}", "shoal")
    newest = next(int(size) for size in sizes.split() if int(size))
    assert newest < SOURCE_LAYER_BYTES


def list_layers(engine: DockerEngine) -> list[str]:
    found = engine.output(
        "docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", "shoal"
    )
    layers: list[str] = json.loads(found)
    return layers


def test_down_finds_the_page_too_and_jobs_are_kept(up: DockerEngine, job: str) -> None:
    up.compose("down")
    assert up.output("docker", "ps", "--all", "--quiet") == b""
    up.compose("up", "--detach", "--wait", "worker", WORKER_MEMORY="350m")
    assert job in up.shoal("jobs", "--json").decode()


def test_a_memory_limit_that_is_too_low_fails_the_job_and_no_image(up: DockerEngine) -> None:
    up.compose("up", "--detach", "--wait", "worker", WORKER_MEMORY="350m")
    assert "This container may use 350.0 MB of memory." in up.compose("logs", "worker")
    job = up.shoal("submit", "/images/large", "--clusters", 2).decode().strip()
    assert up.run(*shlex.split(f"docker compose run --rm -T producer wait {job}")).returncode == 1
    status = json.loads(
        up.run(*shlex.split(f"docker compose run --rm -T producer status {job} --json")).stdout
    )
    assert status["images"]["failed"] == 0
    assert "the memory limit of the worker's container (350.0 MB) was reached" in status["error"]


def test_nothing_is_left_after_down_with_volumes(up: DockerEngine) -> None:
    up.compose("down", "--volumes")
    assert up.output("docker", "volume", "ls", "--quiet") == b""
