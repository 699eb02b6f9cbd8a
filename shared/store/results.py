"""What the stages of one job store: features, labels, model, summary, plots."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from shoal.shared.encoding import unpack_paths
from shoal.shared.errors import NotFinishedError, ShardLostError, show_call
from shoal.shared.findings import Assignment, ClusterChoice, Duplicate, Failure, Rows, Summary
from shoal.shared.redis.connection import RedisClient
from shoal.shared.shards import RedisShards, Shards
from shoal.shared.sources.locations import Location, unpack_locations
from shoal.shared.store import scripts
from shoal.shared.store.keys import JobKeys
from shoal.shared.store.rows import FailedImage, Loaded, Shape
from shoal.shared.store.shards import Content, JobShards, Kind
from shoal.shared.store.tables import (
    BatchPaths,
    list_assignments,
    list_digests,
    list_duplicates,
    list_failures,
)
from shoal.shared.wire import decode, encode

# Batches read in one round trip.
BATCHES_PER_TRIP = 256
# Statistics read in one round trip; those of large images take megabytes each.
CHUNK_BYTES = 2**25
# Statistics read at once.
READERS = 8

logger = logging.getLogger(__name__)


class Results:
    """The outputs of one job.

    Methods that read what a later stage writes raise NotFinishedError before it has.
    """

    def __init__(self, client: RedisClient, job_id: str, place: Shards | None = None) -> None:
        """Set up without asking Redis.

        Args:
            client: Of the Redis of the job.
            job_id: Id of the job.
            place: Where its shards are kept; None is that Redis.
        """
        self.client = client
        self.job_id = job_id
        self.keys = JobKeys(job_id)
        self.shards = JobShards(client, job_id, place or RedisShards(client))

    def paths(self, batch: int) -> list[str]:
        """Return the paths of a batch, in manifest order, relative to the source."""
        return unpack_paths(self._present(self.client.hget(self.keys.manifest, str(batch))))

    def locations(self, batch: int) -> list[Location] | None:
        """Return where the bytes of a batch's images are; None for files in a folder."""
        return _unpack(self.client.hget(self.keys.locations, str(batch)))

    def n_batches(self) -> int:
        """Return how many batches the manifest has."""
        return int(self.client.hlen(self.keys.manifest))

    @property
    def batch_hashes(self) -> list[str]:
        """Keys of the hashes that ``batch`` needs: the manifest, and what was loaded before.

        The last one is that of the locations, for ``locations_among``.
        """
        keys = self.keys
        loaded = [keys.shapes, keys.failures, keys.hashes]
        shards = map(keys.shards, (Kind.FEATURES, Kind.THUMBNAILS))
        return [keys.manifest, *loaded, *shards, keys.locations]

    def batch(self, values: Mapping[str, bytes | None]) -> tuple[list[str], Loaded | None]:
        """Return a batch's paths, and what was loaded of it before a retry, if anything was.

        Args:
            values: Of the batch in ``batch_hashes``, by key.
        """
        manifest, shape, failures, hashes, *names = (
            values[key] for key in self.batch_hashes if key != self.keys.locations
        )
        paths = unpack_paths(self._present(manifest))
        features, sheet = map(self._read_if_there, names)
        if shape is None or features is None or hashes is None:
            return paths, None
        form, failed = decode(shape, Shape), decode(failures or b"[]", list[FailedImage])
        rows = memoryview(features)[: form.statistics_range[0]]
        return paths, Loaded(form, rows, hashes, failed, bytes(sheet or b""))

    def locations_among(self, values: Mapping[str, bytes | None]) -> list[Location] | None:
        """Return the locations of a batch; None for files in a folder.

        Args:
            values: Of the batch in ``batch_hashes``, by key.
        """
        return _unpack(values[self.keys.locations])

    def _read_if_there(self, name: bytes | None) -> Content | None:
        """Read a shard; None if there is none, or if it is lost."""
        try:
            return self.shards.read(name.decode()) if name else None
        except ShardLostError as error:
            logger.warning("%s", error, extra={"job": self.job_id})
            return None

    def loading_values(
        self,
        shape: Shape,
        failures: Sequence[FailedImage],
        hashes: bytes,
    ) -> dict[str, bytes]:
        """Return what is stored of a loaded batch in hashes by batch, by key."""
        return {
            self.keys.shapes: encode(shape),
            self.keys.failures: encode(failures),
            self.keys.hashes: hashes,
        }

    def shapes(self) -> list[Shape]:
        """Return the shape of each batch's features, by batch."""
        return [decode(raw, Shape) for raw in self._by_batch(self.keys.shapes)]

    def shape(self, batch: int) -> Shape:
        """Return the shape of one batch's features."""
        raw = self.client.hget(self.keys.shapes, str(batch))
        return decode(self._present(raw), Shape)

    def statistics(self) -> Iterator[bytes]:
        """Yield the statistics of each batch's features, by batch.

        Raises:
            ShardLostError: Features are missing.
        """
        shapes, names = self.shapes(), self.shards.names(Kind.FEATURES)
        largest = max((shape.columns for shape in shapes), default=1)
        # Two sums of float64 a feature.
        chunk = min(max(CHUNK_BYTES // (largest * 16), 1), BATCHES_PER_TRIP)

        def read(batch: int) -> bytes:
            name = self._shard_of(batch, names.get(batch))
            (part,) = self.shards.read_ranges(name, [shapes[batch].statistics_range])
            return part

        # Many at once: an object store takes milliseconds for each, nearly all of it waiting.
        with ThreadPoolExecutor(READERS) as pool:
            for batches in self._chunks(chunk):
                yield from list(pool.map(read, batches))

    def hashes(self) -> Iterator[bytes]:
        """Yield the hashes of each batch's images, by batch."""
        yield from self._by_batch(self.keys.hashes)

    def thumbnails(self) -> Iterator[bytes]:
        """Yield the sheet of each batch, by batch; empty where there is none, or not any more.

        What is lost is logged in one line, however many they are.
        """
        key, lost = self.keys.shards(Kind.THUMBNAILS), list[ShardLostError]()
        for batches in self._chunks():
            for name in self.client.hmget(key, list(map(str, batches))):
                try:
                    yield bytes(self.shards.read(name.decode())) if name else b""
                except ShardLostError as error:
                    lost.append(error)
                    yield b""
        if lost:
            event = {"job": self.job_id}
            logger.warning("Batches without thumbnails: %d. %s", len(lost), lost[0], extra=event)

    def thumbnails_of(self, batch: int) -> bytes:
        """Return the sheet of a batch; empty where there is none, or not any more."""
        raw = self.client.hget(self.keys.shards(Kind.THUMBNAILS), str(batch))
        return bytes(self._read_if_there(raw) or b"")

    def _by_batch(self, key: str, chunk: int = BATCHES_PER_TRIP) -> Iterator[bytes]:
        for batches in self._chunks(chunk):
            yield from map(self._present, self.client.hmget(key, list(map(str, batches))))

    def _chunks(self, chunk: int = BATCHES_PER_TRIP) -> Iterator[Sequence[int]]:
        return _split(range(self.n_batches()), chunk)

    def features(self, batch: int, shape: Shape | None = None) -> memoryview:
        """Return the raw rows of features of a batch, mapped where they are in a file.

        Args:
            batch: Number of the batch.
            shape: Of its features; None reads it.

        Raises:
            ShardLostError: They are missing or damaged.
        """
        shape = shape or self.shape(batch)
        name = self._shard_of(batch, self.shards.name(Kind.FEATURES, batch))
        return memoryview(self.shards.read(name))[: shape.statistics_range[0]]

    def _shard_of(self, batch: int, name: str | None) -> str:
        if name is None:
            raise NotFinishedError(
                f"The features of batch {batch} of job {self.job_id} are not there, yet or any more"
                f" ({show_call(self.job_id, 'status')} says how it stands)."
            )
        return name

    def coordinates(self) -> Iterator[Content]:
        """Yield the principal components of each batch's images, by batch: raw rows of float32.

        A batch without a loaded image has no bytes.

        Raises:
            NotFinishedError: The images are not labelled.
            ShardLostError: They are missing or damaged.
        """
        names = self.shards.names(Kind.COORDINATES)
        if not names:
            self._present(None)

        def read(batch: int) -> Content:
            return self._read_coordinates(names[batch]) if batch in names else b""

        if self.shards.place.maps_files:
            yield from map(read, range(self.n_batches()))
            return
        # Many at once, as in ``statistics``; no more than those are in memory.
        with ThreadPoolExecutor(READERS) as pool:
            for batches in self._chunks(READERS):
                yield from list(pool.map(read, batches))

    def coordinates_of(self, batch: int) -> Content:
        """Return the principal components of a batch's images, as ``coordinates`` yields them."""
        name = self.shards.name(Kind.COORDINATES, batch)
        return self._read_coordinates(name) if name else self._present(None)

    def _read_coordinates(self, name: str) -> Content:
        try:
            return self.shards.read(name)
        except ShardLostError as error:
            remedy = "Submit its folder again with `force=True`."
            raise ShardLostError(f"{error} {remedy}") from error

    def failed_images(self, batch: int) -> list[FailedImage]:
        """Return the images of a batch that could not be used; none before it is loaded."""
        raw = self.client.hget(self.keys.failures, str(batch))
        return decode(raw, list[FailedImage]) if raw else []

    def batch_paths(self, batches: Sequence[int] | None = None) -> Iterator[BatchPaths]:
        """Yield the paths of each batch, or of ``batches``, and which of them have failed."""
        keys = (self.keys.manifest, self.keys.failures)
        for some in self._chunks() if batches is None else _split(batches, BATCHES_PER_TRIP):
            with self.client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hmget(key, list(map(str, some)))
                for packed, failed in zip(*pipe.execute(), strict=True):
                    paths = unpack_paths(self._present(packed))
                    yield BatchPaths(paths, decode(failed, list[FailedImage]) if failed else [])

    def failures(self) -> Rows[Failure]:
        """List the images of the loaded batches that could not be used, in manifest order."""
        return list_failures(self.batch_paths())

    def loaded_paths(self, batch: int) -> list[str]:
        """Return the paths of the images of a batch that have a row, in row order."""
        return next(self.batch_paths([batch])).loaded()

    def labels(self) -> Iterator[bytes]:
        """Return the label rows of each batch, by batch.

        Raises:
            NotFinishedError: There are none: told at once, before anything is written.
        """
        if not self.client.hlen(self.keys.labels):
            raise self._no_labels()
        return self._by_batch(self.keys.labels)

    def labels_of(self, batches: Sequence[int]) -> list[bytes]:
        """Return the label rows of some batches.

        Raises:
            NotFinishedError: There are none.
        """
        found = self.client.hmget(self.keys.labels, list(map(str, batches))) if batches else []
        rows = [raw for raw in found if raw is not None]
        if len(rows) < len(batches):
            raise self._no_labels()
        return rows

    def _no_labels(self) -> NotFinishedError:
        return NotFinishedError(
            f"Job {self.job_id} has no labels. If it has finished"
            f" ({show_call(self.job_id, 'status')} says how it stands), they have expired, or"
            " it is of an earlier version of Shoal: submit its folder again."
        )

    def assignments(self, names: Mapping[int, str] | None = None) -> Rows[Assignment]:
        """List each image and its cluster, in manifest order.

        Args:
            names: Of the clusters that have one, by label.
        """
        return list_assignments(self.batch_paths(), self.labels(), self.far(), names or {})

    def far(self) -> Iterator[bytes]:
        """Yield a byte for each label row of each batch, by batch: 1 if the image is far.

        Empty where that is not known.
        """
        for batches in self._chunks():
            found = self.client.hmget(self.keys.far, list(map(str, batches)))
            yield from (raw or b"" for raw in found)

    def put_model(self, token: str, model: bytes) -> None:
        """Store a model under a lease's token; it counts once the ledger points to it."""
        self._put_output([self.keys.model(token)], model)

    def model(self, token: str | None = None) -> bytes:
        """Return the model as the bytes of an ``npz`` file."""
        return self._present(self.client.get(self.keys.model(token or self.model_token())))

    def model_token(self) -> str:
        """Return the token under which the job's model was written."""
        return self._token("model_token")

    def choice(self) -> ClusterChoice | None:
        """Return how the number of clusters was chosen, if it was."""
        raw = self.client.hget(self.keys.job, "choice")
        return decode(raw, ClusterChoice) if raw else None

    def given_model(self) -> bytes | None:
        """Return the model of another job that this one uses; None if it has its own."""
        return self.client.get(self.keys.given_model)

    def put_known(self, known: bytes) -> None:
        """Store what the job takes over from the job before; a retry of the job finds it again."""
        self._put_output([self.keys.known], known)

    def known(self) -> bytes | None:
        """Return what the job took over from the job before; None if nothing yet."""
        raw: bytes | None = self.client.get(self.keys.known)
        return raw

    def put_near_copies(self, digests: bytes) -> None:
        """Store the digests of near copies, which the fit leaves out, eight bytes each."""
        self._put_output([self.keys.near_copies], digests)

    def near_copies(self) -> bytes:
        """Return the digests of near copies; empty if none are known."""
        return self.client.get(self.keys.near_copies) or b""

    def put_findings(
        self,
        token: str,
        summary: Summary,
        plots: Mapping[str, bytes],
        pictures: Mapping[str, bytes],
        duplicates: bytes,
    ) -> None:
        """Store summary, plots, pictures by path and rows of duplicates under a lease's token."""
        pairs = (x for path, jpeg in pictures.items() for x in (os.fsencode(path), jpeg))
        names = [self.keys.duplicates(token), self.keys.pictures(token)]
        self._put_output(names, duplicates, *pairs)
        names = [self.keys.summary(token), self.keys.plots(token)]
        flat = (x for pair in plots.items() for x in pair)
        self._put_output(names, encode(summary), *flat)

    def _put_output(self, names: list[str], *values: str | bytes) -> None:
        scripts.run(self.client, "put_output", [self.keys.job, *names], *values)

    def summary(self) -> Summary:
        """Return what the job found."""
        raw = self.client.get(self.keys.summary(self._token("findings_token")))
        return decode(self._present(raw), Summary)

    def duplicates(self) -> Rows[Duplicate]:
        """List the images that are copies of each other or look alike, group by group."""
        return list_duplicates(self.duplicate_rows(), self.batch_paths)

    def duplicate_rows(self) -> bytes:
        """Return the rows of ``duplicates`` as they are stored."""
        return self._present(self.client.get(self.keys.duplicates(self._token("findings_token"))))

    def duplicate_digests(self) -> Iterator[int]:
        """Yield the digests of the files' contents of ``duplicates``, in the same order."""
        raw = self.client.get(self.keys.duplicates(self._token("findings_token")))
        return list_digests(self._present(raw), self._read_hashes)

    def _read_hashes(self, batches: Sequence[int]) -> Iterator[bytes]:
        for some in _split(batches, BATCHES_PER_TRIP):
            yield from map(self._present, self.client.hmget(self.keys.hashes, list(map(str, some))))

    def plots(self) -> dict[str, bytes]:
        """Return the plots as PNG, by name."""
        raw = self.client.hgetall(self.keys.plots(self._token("findings_token")))
        return {name.decode(): png for name, png in raw.items()}

    def pictures(self) -> dict[str, bytes]:
        """Return a JPEG of each image that a report shows, by path; some may be missing."""
        raw = self.client.hgetall(self.keys.pictures(self._token("findings_token")))
        return {os.fsdecode(path): jpeg for path, jpeg in raw.items()}

    def _token(self, field: str) -> str:
        return self._present(self.client.hget(self.keys.job, field)).decode()

    def _present(self, value: bytes | None) -> bytes:
        if value is None:
            raise NotFinishedError(
                f"Job {self.job_id} has no such result, yet or any more"
                f" ({show_call(self.job_id, 'status')} says how it stands)."
            )
        return value


def _split(batches: Sequence[int], chunk: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(batches), chunk):
        yield batches[start : start + chunk]


def _unpack(packed: bytes | None) -> list[Location] | None:
    return None if packed is None else unpack_locations(packed)
