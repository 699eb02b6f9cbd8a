"""Commands and workers in the directory and the environment of a foreign project with Celery."""

from pathlib import Path

import pytest
from foreign_project import make_foreign_project
from shoal_command import Shoal
from worker_process import CELERY_WORKER, SHOAL_WORKER, Worker

from shoal.shared.tasks import BATCHES, CALLBACKS


def test_a_run_ends_whatever_celery_is_told_to_use(
    embedded: Shoal, photographs: Path, tmp_path: Path
) -> None:
    embedded.environment = make_foreign_project(tmp_path) | embedded.environment
    job = embedded.submit(photographs, "--features", "pixels")
    assert embedded.json("run", photographs, "--features", "pixels")["job_id"] == job


@pytest.mark.parametrize(
    "command",
    [SHOAL_WORKER, (*CELERY_WORKER, "-P", "solo", "-Q", f"{BATCHES},{CALLBACKS}")],
    ids=["shoal", "celery"],
)
def test_a_worker_takes_the_jobs_of_our_redis(
    shoal: Shoal, photographs: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    own = shoal.elsewhere(tmp_path / "home")
    own.environment = make_foreign_project(tmp_path) | own.environment
    if command[:2] == CELERY_WORKER[:2]:
        # Those of the command line itself are the user's own choice.
        own.environment = {k: v for k, v in own.environment.items() if "POOL" not in k}
    job = own.submit(photographs, "--features", "pixels")
    with Worker(own, command):
        assert own.json("wait", job, "--timeout", 60)["state"] == "finished"
