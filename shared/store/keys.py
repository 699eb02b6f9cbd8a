"""The names of all Redis keys. Those of one job share a hash tag."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from shoal.shared.jobs import Wave
from shoal.shared.tasks import FIRST, PRIORITIES, PROTOCOL


def of_protocol(name: str, protocol: int) -> str:
    """Return the key of what only programs may touch that know the jobs of this protocol."""
    return f"shoal:{name}" if protocol == FIRST else f"shoal:{protocol}:{name}"


def active(protocol: int = PROTOCOL) -> str:
    """ZSET of the ids of active jobs of a protocol, which the sweeper checks."""
    return of_protocol("active", protocol)


def outdated(protocol: int = PROTOCOL) -> str:
    """SET of the ids of jobs of a protocol whose plots lack names that were given since."""
    return of_protocol("outdated", protocol)


def stored(protocol: int = PROTOCOL) -> str:
    """ZSET of PLACE/JOB with files or objects, of a protocol, by when some may be deleted."""
    return of_protocol("shards", protocol)


def workers(protocol: int) -> str:
    """ZSET of the names of workers that take jobs of a protocol, by their last heartbeat."""
    return of_protocol("workers", protocol)


JOBS = "shoal:jobs"  # ZSET of job ids by time of creation
WORKERS = "shoal:workers"  # ZSET of worker names by their last heartbeat
COUNTS = "shoal:counts"  # HASH of what is counted for metrics; it never expires
SEEN_WORKERS = "shoal:workers:seen"  # ZSET of the same, of those that were lost of late, too
WORKER = "shoal:worker:"  # STRING for each worker, what it says of itself; it expires soon
OWNER = "shoal:owner"  # STRING: id of this Redis, by which a place of shards knows it
SESSIONS = "shoal:sessions"  # ZSET of the page's ended sessions by when they would have expired
CLAIMS = "shoal:claim:"  # STRING that expires soon: something is being done now
CELERY = "shoal:celery:"  # prefix of all that Celery keeps
UNACKED = f"{CELERY}unacked"  # HASH of the messages that workers have taken, as kombu names it


def queue_key(queue: str, priority: int) -> str:
    """Return the list of a queue's messages of one priority, as kombu names it."""
    return f"{CELERY}{queue}" + (f"\x06\x16{priority}" if priority else "")


def queue_keys(queue: str) -> list[str]:
    """Return the lists of a queue's messages, one a priority."""
    return [queue_key(queue, priority) for priority in PRIORITIES.values()]


def chord_size_key(group: str) -> str:
    """Return the key of the number of a chord's parts, as Celery names it."""
    return f"{CELERY}celery-taskset-meta-{group}.s"


@dataclass(frozen=True)
class JobKeys:
    """The names of one job's keys."""

    job_id: str

    def name(self, *parts: object) -> str:
        """Return the key of ``parts`` within the job."""
        return ":".join([f"shoal:{{{self.job_id}}}", *map(str, parts)])

    @cached_property
    def job(self) -> str:
        """HASH: state, counts, times, request, protocol."""
        return self.name("job")

    @cached_property
    def manifest(self) -> str:
        """HASH of batch: its paths, NUL-separated and deflated."""
        return self.name("manifest")

    @cached_property
    def locations(self) -> str:
        """HASH of batch: where the bytes of its images are, packed; none for a plain folder."""
        return self.name("locations")

    @cached_property
    def failures(self) -> str:
        """HASH of batch: JSON of the images that failed."""
        return self.name("failures")

    @cached_property
    def shapes(self) -> str:
        """HASH of batch: JSON of its features' shape and dtype."""
        return self.name("shapes")

    @cached_property
    def hashes(self) -> str:
        """HASH of batch: 16 bytes for each of its images, a digest and a perceptual hash."""
        return self.name("hashes")

    @cached_property
    def labels(self) -> str:
        """HASH of batch: its label rows, raw."""
        return self.name("rows")

    @cached_property
    def far(self) -> str:
        """HASH of batch: a byte for each of its label rows, 1 if the image is far."""
        return self.name("far")

    def shards(self, kind: str) -> str:
        """HASH of batch: name of its shard of this kind, within the job's shards."""
        return self.name("shards", kind)

    @cached_property
    def known(self) -> str:
        """STRING: what the job takes over from the job before: labels of images."""
        return self.name("known")

    @cached_property
    def given_model(self) -> str:
        """STRING: the model of another job, copied as this one was registered, to be used."""
        return self.name("given", "model")

    @cached_property
    def near_copies(self) -> str:
        """STRING: digests of near copies, which the fit leaves out, for jobs that cluster again."""
        return self.name("near", "copies")

    @cached_property
    def names(self) -> str:
        """HASH of label: the name that a user gave to the cluster."""
        return self.name("names")

    @cached_property
    def refusal(self) -> str:
        """STRING: why the job waits, as a worker was told; it expires soon."""
        return self.name("refusal")

    @cached_property
    def lease(self) -> str:
        """STRING: the token of the process that is fitting or finishing."""
        return self.name("lease")

    def done(self, wave: Wave) -> str:
        """SET of the batches that are committed."""
        return self.name(wave, "done")

    def running(self, wave: Wave) -> str:
        """ZSET of batches by the time at which they count as lost."""
        return self.name(wave, "running")

    def attempts(self, wave: Wave) -> str:
        """HASH of batch: how often it was started."""
        return self.name(wave, "attempts")

    def errors(self, wave: Wave) -> str:
        """HASH of batch: why its last attempt failed."""
        return self.name(wave, "errors")

    def model(self, token: str) -> str:
        """STRING: the model written under a lease's token."""
        return self.name("model", token)

    def plots(self, token: str) -> str:
        """HASH of name: PNG."""
        return self.name("plots", token)

    def summary(self, token: str) -> str:
        """STRING: JSON of the summary."""
        return self.name("summary", token)

    def pictures(self, token: str) -> str:
        """HASH of path: JPEG of a representative or an outlier."""
        return self.name("pictures", token)

    def duplicates(self, token: str) -> str:
        """STRING: rows of the images in groups of duplicates, raw."""
        return self.name("duplicates", token)

    def question(self, token: str) -> str:
        """HASH of number: content of a new image that a worker is to project; it expires soon."""
        return self.name("question", token)

    def answer(self, token: str) -> str:
        """STRING: JSON of what a worker answered to a question; it expires soon."""
        return self.name("answer", token)

    def claim(self, token: str) -> str:
        """STRING: id of the message by which a process answers a question; it expires soon."""
        return self.name("claim", token)

    def of_tokens(self, fields: Mapping[str, str]) -> list[str]:
        """Return the keys written under the tokens of the leases that the job's fields name."""
        written = (self.model, self.summary, self.plots, self.pictures, self.duplicates)
        return [key(token) for token in fields.get("tokens", "").split() for key in written]

    def fixed(self) -> list[str]:
        """Return the keys of the job that are not numbered by batch or token."""
        of_wave = (self.done, self.running, self.attempts, self.errors)
        waves = [key(wave) for wave in Wave for key in of_wave]
        noted = [self.manifest, self.failures, self.shapes, self.labels]
        noted += [self.hashes, self.known, self.given_model, self.near_copies, self.names, self.far]
        noted.append(self.locations)
        # Label rows of earlier versions, which a job has that went on under this one.
        noted.append(self.name("labels"))
        return [self.job, *noted, self.lease, *waves]
