"""The Redis that Shoal is given decides, whatever a project of the user's own tells Celery."""

import subprocess
import sys

from foreign_project import make_foreign_project

SEND = """
import sys
from celery import Celery, current_app
Celery("theirs", broker="redis://theirs/0")
from shoal.shared.jobs import Wave
from shoal.shared.messaging.broker import make_app
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import connect
make_app(sys.argv[1])
Messages(connect(sys.argv[1])).send_wave("job1", Wave.LOADING, 2)
print(current_app.main)
"""


def test_messages_go_to_our_redis_and_the_application_of_the_project_stays_its_own(
    redis, server_url, queued, tmp_path
):
    done = subprocess.run(
        [sys.executable, "-c", SEND, server_url],
        cwd=tmp_path,
        env=make_foreign_project(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert queued() == (2, 0)
    assert done.stdout == "theirs\n"
