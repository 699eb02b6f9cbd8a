"""The keeper: decides which image of each group is kept, by the files as they are now."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Self

from shoal.producer.duplicates.candidates import Candidate, FileReader
from shoal.producer.duplicates.decisions import DecidedDuplicate, Decision, KeepRule, Kind
from shoal.producer.results import JobResults
from shoal.shared.errors import SourceError
from shoal.shared.settings import Settings
from shoal.shared.sources.given import list_given_folders
from shoal.shared.store.images import JobImages


class Keeper:
    """Decides which duplicates of a job are kept; a context manager, as it may start a decoder.

    The same files give the same decisions.

    Attributes:
        source: The job's folder.
        given: The folders in it whose images were asked for.
    """

    def __init__(
        self,
        job: JobResults,
        rule: KeepRule,
        settings: Settings,
        *,
        exact: bool = False,
        moved_to: Path | None = None,
    ) -> None:
        """Prepare without reading a file.

        Args:
            job: The finished job.
            rule: Which image of a group is kept.
            settings: The limits within which files are read.
            exact: Whether only files of the same bytes count as duplicates.
            moved_to: Where extra files are already if a move was interrupted.

        Raises:
            SourceError: The job's folder is not on this machine, or its images are in none.
        """
        self._job = job
        self._rule = rule
        self._exact = exact
        request = job.status().request
        JobImages(job.results, request.source, settings).check_files()
        self.source = Path(request.source)
        self.given = list_given_folders(request.source, request.inputs)
        if not self.source.is_dir():
            raise SourceError(
                f"The folder {self.source} of job {job.id} is not on this machine: decide what to"
                " keep where it is, at the same path."
            )
        folders = [self.source, *([moved_to] if moved_to else [])]
        self._reader = FileReader(folders, settings)

    def __enter__(self) -> Self:
        self._reader.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._reader.__exit__()

    def decide(self, start: int = 0, count: int | None = None) -> Iterator[DecidedDuplicate]:
        """Yield each duplicate with its size and what becomes of it, in the order of the table.

        Args:
            start: Rows to pass over.
            count: Most rows; None is all.
        """
        end = None if count is None else start + count
        passed = 0
        for group in self._groups():
            first, passed = passed, passed + len(group)
            if end is not None and first >= end:
                return
            if passed > start:
                self._decide_group(group, measure=True)
                stop = None if end is None else end - first
                yield from _describe(group)[max(start - first, 0) : stop]

    def decide_groups(
        self, start: int = 0, count: int | None = None
    ) -> Iterator[list[DecidedDuplicate]]:
        """Yield the images of each group as ``decide`` does; ``start`` and ``count`` are groups."""
        for group in islice(self._groups(), start, None if count is None else start + count):
            self._decide_group(group, measure=True)
            yield _describe(group)

    def count_groups(self) -> int:
        """Count the groups, without reading a file."""
        return sum(1 for _ in self._groups())

    def list_decided(self) -> Iterator[Candidate]:
        """Yield the images that are not kept, never all of a group, with the reason for each."""
        for group in self._groups():
            self._decide_group(group, measure=self._rule is KeepRule.LARGEST)
            yield from (one for one in group if one.decision is not Decision.KEEP)

    def _groups(self) -> Iterator[list[Candidate]]:
        """Yield the images of each group; if only the same bytes count, of each content."""
        images, digests = self._job.duplicates(), self._job.results.duplicate_digests()
        rows = (Candidate(*row) for row in zip(images, digests, strict=True))
        for _, found in groupby(rows, key=lambda one: one.image.group):
            group = list(found)
            sizes = Counter(one.image.content for one in group)
            for one in group:
                near = Kind.TURNED if one.image.turn else Kind.NEAR
                one.kind = Kind.EXACT if sizes[one.image.content] > 1 else near
            if not self._exact:
                yield group
                continue
            for content in sorted(n for n, size in sizes.items() if size > 1):
                yield [one for one in group if one.image.content == content]

    def _decide_group(self, group: Sequence[Candidate], *, measure: bool) -> None:
        for one in group:
            self._reader.read(one)
        if measure:
            self._reader.measure(group)
        left = [one for one in group if one.decision is None]
        if not left:
            return
        kept = max(left, key=self._rank)  # of equal ones, the first
        place = os.path.realpath(kept.place)
        for one in left:
            # By a link in its path, it may be the file that is kept: that must not be moved.
            is_kept = os.path.realpath(one.place) == place
            one.decision = Decision.SAME_FILE if is_kept else Decision.EXTRA
        kept.decision = Decision.KEEP

    def _rank(self, one: Candidate) -> tuple[int, int]:
        if self._rule is KeepRule.LARGEST:
            return one.extent[0] * one.extent[1], one.size_bytes
        return (one.mtime_ns, 0) if self._rule is KeepRule.NEWEST else (0, 0)


def _describe(group: Sequence[Candidate]) -> list[DecidedDuplicate]:
    """Describe the images of a group, all of which are decided."""
    described = []
    for one in group:
        image = one.image
        named = (image.group, image.path, image.content, image.like, image.distance, image.turn)
        file = (*one.extent, one.size_bytes, one.mtime_ns / 1e9)
        decision = one.decision or Decision.KEEP
        described.append(DecidedDuplicate(*named, one.kind, *file, decision))
    return described
