"""Answers to questions about new images, as a worker gives them, in a thread of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from servers import Server

from shoal.producer.job import Job
from shoal.shared.redis.connection import connect
from shoal.shared.settings import Settings
from shoal.shared.store import Registry
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.projecting import project_images


@contextmanager
def answering(server: Server, job: Job) -> Iterator[None]:
    """Answer questions about a job as a worker does, in a thread."""
    client: Any = connect(server.url)
    context = WorkerContext(Settings(), client)
    stopped = Event()

    def answer() -> None:
        while not stopped.wait(0.02):
            Registry(client).note_worker("answers")
            for key in client.scan_iter(match="*:question:*"):
                token = key.decode().rpartition(":")[2]
                project_images(context, job.id, token, token)

    thread = Thread(target=answer)
    Registry(client).note_worker("answers")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        Registry(client).forget_worker("answers")
