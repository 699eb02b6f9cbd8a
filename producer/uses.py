"""What is done with a finished job: scores, search, recommendations, the report, files."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shoal.producer.duplicates.uses import JobDuplicates
from shoal.shared.errors import StoreUnavailableError
from shoal.shared.findings import Match
from shoal.shared.jobs import Status
from shoal.shared.store import OutdatedPlots

if TYPE_CHECKING:
    from shoal.producer.evaluation import Evaluation
    from shoal.producer.export.neighbours import Neighbors
    from shoal.producer.organizing import Organization
    from shoal.producer.organizing.steps import Progress
    from shoal.producer.search import Workers
    from shoal.producer.search.examples import Given

# Time between two looks whether plots are drawn.
PLOTS_LOOK_SECONDS = 0.02


# Each method itself imports what takes long to import.
class JobUses(JobDuplicates):
    """Makes use of what a job found, as the commands of the same names do."""

    _reported_at: Path | None = None
    ensure_running: Callable[[], bool] | None = None
    _keep_running: Callable[[Status], None] | None = None

    def _repr_html_(self) -> str:
        """Return the job as a notebook shows it; nothing is raised."""
        from shoal.producer.report.notebook import render_notebook

        return render_notebook(self, str(self._reported_at) if self._reported_at else None)

    def evaluate(self, known: str | Path | Mapping[str, str] = "folders") -> "Evaluation":
        """Score how well the clusters match known labels.

        Args:
            known: ``"folders"``: the label of an image is the first folder of its path, not
                counting those that all images have in common. Else the path of a CSV file with the
                columns ``path`` and ``label``, or the label of each image by its path, relative to
                the source; others than the job's are passed over.

        Raises:
            UsageError: No image has a known label.
        """
        from shoal.producer.evaluation import score_job

        return score_job(self, known)

    def organize(
        self,
        directory: str | Path,
        mode: str = "symlink",
        *,
        flat: bool = False,
        dry_run: bool = False,
        on_progress: "Progress | None" = None,
    ) -> "Organization":
        """Put each image into the folder of its cluster; ``shoal.undo`` takes it all back.

        Nothing is ever replaced, and what changed since the job has seen it is left out. If this is
        interrupted, the same call goes on.

        Args:
            directory: Where the folders shall be, outside the job's source.
            mode: ``"symlink"`` makes links to the images, ``"hardlink"`` second names of the same
                files, ``"copy"`` copies, and ``"move"`` takes the images away from the source.
            flat: Whether images lose the folders that they are in.
            dry_run: Whether to look only at what would be done, without reading an image.
            on_progress: Called with the number of images that were looked at, and of all.

        Returns:
            How many images are there, and which were left out, with the reasons.

        Raises:
            UsageError: It cannot be done there; nothing was done.
            ShoalError: The disk is full, read-only or broken; the same call goes on later.
        """
        from shoal.producer.organizing import organize

        return organize(self, directory, mode, flat=flat, dry_run=dry_run, progress=on_progress)

    def draw_sheet(self, matches: Sequence[Match]) -> bytes:
        """Draw what was found as PNG: pictures with their ranks, distances and names.

        Args:
            matches: As ``search`` or ``recommend`` returned them; at least one, at most 1,000.

        Raises:
            UsageError: There is nothing to draw, or too much.
        """
        from shoal.producer.search.sheet import draw_sheet

        return draw_sheet(self, matches, self.sweeper.settings)

    def name_clusters(self, names: Mapping[int, str]) -> dict[int, str]:
        """Give clusters names, all or none of them; return the names of all.

        Clusters of one name, in whatever case, are one group: shown together, and put into one
        folder. Names are shown where clusters are, live as long as the results, and go over to the
        next job of the folder where a cluster keeps its number. Workers draw the plots again, which
        ``redraw_plots`` waits for.

        Args:
            names: By label; "" takes a name away.

        Raises:
            UsageError: There is no such cluster, or a name has more than 100 characters or one that
                cannot be shown.
        """
        found = super().name_clusters(names)
        with suppress(StoreUnavailableError):  # the sweeper asks later
            self.redraw_plots()
        return found

    def neighbors(self, count: int = 15) -> "Neighbors":
        """Find the nearest other images of every image, exactly.

        The time grows with the square of the images: for one image, ``search`` is faster.

        Args:
            count: Neighbours an image.

        Returns:
            Two arrays of shape (n_images, n_neighbors), in the order of ``labels``: ``ids``, rows
            of the neighbours, nearest first, and their ``distances`` by principal components.

        Raises:
            UsageError: ``count`` is less than 1.
        """
        from shoal.producer.export.neighbours import find_neighbors

        return find_neighbors(self.coordinates(), count)

    def recommend(
        self,
        like: "Sequence[Given]",
        dislike: "Sequence[Given]" = (),
        *,
        count: int = 20,
        rocchio: bool = False,
        duplicates: bool = False,
    ) -> list[Match]:
        """Recommend images of the job by what somebody likes, and what they do not.

        Images near to a like and far from every dislike come first (Giacinto 2007), out of the
        200 that are nearest to a like, or ten times ``count``; of these, images that resemble each
        other less are preferred (Carbonell and Goldstein 1998), up to the first thousand that are
        recommended. What is given never comes back.

        Args:
            like: Images that are liked, as ``search`` takes them; at least one.
            dislike: Images that are not.
            count: Most images to recommend.
            rocchio: Whether to look near the mean of the likes instead, moved away from the mean
                of the dislikes: for likes that are all of one kind.
            duplicates: As for ``search``.

        Returns:
            The best first; distances are those to the nearest like.

        Raises:
            UsageError: As for ``search``.
        """
        from shoal.producer.search import recommend_images

        return recommend_images(
            self,
            like,
            dislike,
            self._find_workers(),
            count=count,
            rocchio=rocchio,
            duplicates=duplicates,
        )

    def redraw_plots(self, wait_seconds: float = 0.0) -> bool:
        """Let a worker draw the plots again, if clusters have other names than these show.

        With the embedded server, this also starts workers if none are running.

        Args:
            wait_seconds: Longest time to wait for the plots.

        Returns:
            Whether the plots have all names. If not, workers draw them once they can.
        """
        outdated = OutdatedPlots(self.ledger.client, self.id)
        if not outdated.are_outdated():
            return True
        self.sweeper.messages.send_plots(self.id)
        if self.ensure_running and not self.ensure_running():
            return False
        deadline = time.monotonic() + wait_seconds
        while is_missing := outdated.are_outdated():
            if time.monotonic() >= deadline:
                break
            time.sleep(PLOTS_LOOK_SECONDS)
        return not is_missing

    def report(self, out: str | Path = "report.html", *, force: bool = False) -> Path:
        """Write the report, one HTML file that opens anywhere; return its path.

        Args:
            out: The file.
            force: Whether to replace a file that is there.

        Raises:
            UsageError: The file exists, and not ``force``.
            ShoalError: It cannot be written.
        """
        from shoal.producer.export.files import check_output, new_file
        from shoal.producer.report import make_report

        path = Path(out)
        check_output(path, force=force)
        content = make_report(self)
        with new_file(path, force=force) as file:
            file.write(content)
        self._reported_at = path
        return path

    def search(
        self,
        *images: "Given",
        count: int = 20,
        max_distance: float | None = None,
        duplicates: bool = False,
    ) -> list[Match]:
        """Find the images of the job that are most like the given ones: exactly, not nearly.

        Images of the job are looked up. New ones are sent to a worker, which decodes them as the
        job's own; with the embedded server, one is started if none is running.

        Args:
            *images: Each an image of the job by its path relative to the source or by its number
                in the order of the folder, a file by its path, or the content of a file as bytes.
            count: Most images to find.
            max_distance: Images farther than this are not found; None has no limit.
            duplicates: Whether each image of a group of duplicates is found, not only the nearest
                of the group. Images of the job that are given, and without this their duplicates,
                are left out.

        Returns:
            By distance to the nearest of the given images, then by path.

        Raises:
            UsageError: An image is neither one of the job nor a file, or is both, or cannot be
                used; or it is a new one and no worker is running.
            NotFinishedError: The job has no coordinates, yet or any more.
            ShardLostError: Coordinates are missing or damaged where shards are kept.
        """
        from shoal.producer.search import search_images

        return search_images(
            self,
            images,
            self._find_workers(),
            count=count,
            max_distance=max_distance,
            duplicates=duplicates,
        )

    def write(self, out: str | Path, *, force: bool = False) -> Path:
        """Write all results to a directory, as ``shoal result`` does; return its path.

        What Shoal wrote there for another job is replaced, or removed if this job has no such
        result.

        Args:
            out: The directory, which must not be inside the job's source.
            force: Whether to replace files that Shoal did not write.

        Raises:
            UsageError: The directory is inside the source or cannot be written to, or a file there
                is not as Shoal wrote it.
            ShoalError: A file cannot be written.
        """
        from shoal.producer.export.directory import prepare_directory, write_directory
        from shoal.producer.export.files import find_folders

        directory = Path(out)
        self._check_finished()
        prepare_directory(directory, find_folders(self), force=force)
        write_directory(self, directory, force=force)
        return directory

    def _find_workers(self) -> "Workers":
        from shoal.producer.search import Workers

        return Workers(
            self.sweeper,
            self.ensure_running or (lambda: True),
            self._keep_running or (lambda _: None),
        )
