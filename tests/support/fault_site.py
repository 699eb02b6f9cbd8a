"""A site that faults strike: a Redis that lasts, workers as real processes, the command."""

import time
from collections.abc import Callable
from pathlib import Path

from places import Place
from polling import wait_until
from servers import start_redis
from shoal_command import PYTHON, Shoal
from worker_process import Worker

from shoal.shared.jobs import Status, Wave
from shoal.shared.store import Ledger, Results
from shoal.shared.store.keys import CELERY, active
from shoal.shared.tasks import BATCHES, CALLBACKS

# Of the jobs that are struck: 20 batches of the small images.
OPTIONS = ("--batch-size", 6, "--image-size", 16)
LEASE_SECONDS = 3
QUICK: dict[str, object] = {"SHOAL_LEASE_SECONDS": LEASE_SECONDS, "SHOAL_SWEEP_SECONDS": 1}
# After a job, what lost workers had not acknowledged comes back, and leaves again.
QUIET_SECONDS = 30
# Of each worker's log, in the message of a test that fails.
LOG_CHARACTERS = 8000
FAULTY_WORKER = (PYTHON, "-m", "celery", "-A", "faulty_worker", "worker", "-c", "1", "-l", "info")
UNACKED = f"{CELERY}unacked"


class Site:
    """A Redis with an append-only file, workers that come and go, and the command.

    ``place`` keeps their shards, Redis without one; ``settings`` are those of the command and of
    the workers.
    """

    def __init__(self, directory: Path, *, place: Place | None = None, **settings: object) -> None:
        self.directory = directory
        self.place = place
        self.faults = directory / "faults"
        self.faults.mkdir()
        self.server = start_redis(directory)
        settings = (settings or QUICK) | {"SHOAL_REDIS_URL": self.server.url}
        settings |= place.variables if place else {}
        self.shoal = Shoal(directory / "client", **settings)
        self.workers: list[Worker] = []
        self.n_started = 0

    def close(self) -> None:
        """End all processes of the site."""
        for worker in self.workers:
            worker.lose()
        self.server.stop()
        if self.place:
            self.place.close()

    def make_worker(self, redis_url: str | None = None) -> Worker:
        """Return a worker that is starting, and may reach Redis in a way of its own."""
        self.n_started += 1
        home = self.directory / f"worker-{self.n_started}"
        url = {"SHOAL_REDIS_URL": redis_url or self.server.url}
        machine = Shoal(home, **(self.shoal.settings | url))
        machine.environment |= {
            "FAULTS": str(self.faults),
            "PYTHONPATH": str(Path(__file__).parent),
        }
        worker = Worker(machine, (*FAULTY_WORKER, "-n", f"worker-{self.n_started}@%h"))
        self.workers.append(worker)
        return worker

    def staff(self, n_workers: int) -> list[Worker]:
        """Return ``n_workers`` workers that take work: those that live, and new ones.

        A fault that still waits may end one at any time: then another one takes its place.
        """
        for worker in self.workers[n_workers:]:
            worker.stop()
        while True:
            self.workers = [worker for worker in self.workers if not worker.has_ended()]
            while len(self.workers) < n_workers:
                self.make_worker()
            for worker in self.workers:
                worker.wait_until_ready()
            if not any(worker.has_ended() for worker in self.workers):
                return list(self.workers)

    def submit(self, source: Path | str, *options: object) -> str:
        """Submit a source as a new job, whatever jobs there are of it; return its id."""
        return self.shoal.submit(source, "--force", *(options or OPTIONS))

    def arm(self, point: str, fault: str) -> Path:
        """Let a fault wait at a point of the workers; return the file that appears with it."""
        self._put(point, fault)
        return self.faults / f"{point}.taken"

    def keep_pace(self, seconds: float, of: str = "pace") -> None:
        """Let each batch, or ``of`` "image-pace" each image, take longer to load.

        So that a job lasts on any machine.
        """
        self._put(of, str(seconds))

    def _put(self, name: str, text: str) -> None:
        """Put a file there with its text: a worker must not find it empty, and be held for ever."""
        written = self.directory / "written-fault"
        written.write_text(text)
        written.replace(self.faults / name)

    def disarm(self) -> None:
        """Forget all faults; whoever is held goes on."""
        for fault in self.faults.iterdir():
            fault.unlink()

    def ledger(self, job: str) -> Ledger:
        """Return the ledger of one job."""
        return Ledger(self.server.client, job, LEASE_SECONDS)

    def wait_for(self, job: str, condition: Callable[[Status], bool], what: str) -> Status:
        """Return the job's status once it meets ``condition``, and has not ended."""
        ledger = self.ledger(job)

        def look() -> Status | None:
            status = ledger.status()
            assert not status.state.is_final, f"the job ended too soon to see: {what}"
            return status if condition(status) else None

        return wait_until(look, 30, what) or ledger.status()

    def wait_until_loaded(self, job: str, share: float) -> None:
        """Wait until ``share`` of the images of a job are loaded."""
        enough = f"{share:.0%} of the images are loaded"
        self.wait_for(job, lambda s: s.images.loaded >= share * s.images.total, enough)

    def check(self, job: str, expected: str) -> None:
        """Wait for the job, whose labels are to be ``expected``; nothing is lost or left."""
        self.check_accounts(job)
        assert self.shoal.output("result", job) == expected
        self.check_nothing_is_left(job)

    def check_accounts(self, job: str) -> None:
        """Wait for the job; each batch and image counts once, one fit and one finish do."""
        status = self.shoal.json("wait", job)
        assert status["state"] == "finished"
        images = status["images"]
        assert images["loaded"] + images["failed"] == images["total"]
        fields, results = self.ledger(job).fields(), Results(self.server.client, job)
        assert sum(shape.rows for shape in results.shapes()) == images["loaded"]
        assert len(list(results.failures())) == images["failed"]
        for wave in Wave:
            done = self.server.client.scard(self.ledger(job).keys.done(wave))
            assert done == int(fields["batches"]) == int(fields[f"{wave}_done"])
        self.check_tokens(job, fields)

    def check_tokens(self, job: str, fields: dict[str, str]) -> None:
        """The one fit and the one finish that took effect are those the ledger points to."""
        notes = self.faults / "advances"
        advances = map(str.split, notes.read_text().splitlines() if notes.exists() else ())
        effective = {"fitting": fields["model_token"], "finishing": fields["findings_token"]}
        seen = [(state, token) for job_id, state, token in advances if job_id == job]
        # A process may be killed, or lose its connection, before it can write its note.
        assert len(seen) == len(set(seen))
        assert set(seen) <= set(effective.items())

    def check_nothing_is_left(self, job: str) -> None:
        """Nothing waits, runs, is leased or is looked after once the job has ended."""
        client = self.server.client
        # As if their visibility had ended: a lost worker's messages come back, and are refused.
        if tags := client.zrange(f"{UNACKED}_index", 0, -1):
            client.zadd(f"{UNACKED}_index", dict.fromkeys(tags, 1), xx=True)
            # Whoever restores holds it for a moment, and for 5 minutes if it is killed just then.
            client.delete(f"{UNACKED}_mutex")
        try:
            wait_until(lambda: not self.remains(job), QUIET_SECONDS, "nothing is left")
        except AssertionError as error:
            error.add_note(self.describe(self.remains(job)))
            raise

    def describe(self, left: list[str]) -> str:
        """Return what is left, since when, and what the workers said last."""
        client = self.server.client
        unacked = client.zrange(f"{UNACKED}_index", 0, -1, withscores=True)
        held = f"{left}, unacked at {time.time():.1f}: {unacked} {client.hgetall(UNACKED)}"
        logs = [f"{at.log}:\n{at.log.read_text()[-LOG_CHARACTERS:]}" for at in self.workers]
        return "\n".join([*logs, held, f"mutex: {client.get(f'{UNACKED}_mutex')}"])

    def remains(self, job: str) -> list[str]:
        """Return the keys that say that something waits or runs."""
        keys = self.ledger(job).keys
        running = [keys.running(wave) for wave in Wave]
        transient = [UNACKED, f"{UNACKED}_index", keys.lease, *running, active()]
        # In one step: key by key, a message that moves meanwhile is seen twice or not at all.
        with self.server.client.pipeline(transaction=True) as pipe:
            for key in transient:
                pipe.exists(key)
            for name in (BATCHES, CALLBACKS):  # lists, one a priority
                pipe.keys(f"{CELERY}{name}*")
            *found, batches, callbacks = pipe.execute()
        queues = [key.decode() for key in [*batches, *callbacks]]
        return [*(key for key, there in zip(transient, found, strict=True) if there), *queues]
