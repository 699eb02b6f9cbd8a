"""What is done with a finished job: scores, the report, files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from shoal.producer.results import JobResults

if TYPE_CHECKING:
    from shoal.producer.evaluation import Evaluation


# Each method itself imports what takes long to import.
class JobUses(JobResults):
    """Makes use of what a job found, as the commands of the same names do."""

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
        return path

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

        directory, source = Path(out), Path(self.status().request.source)
        self._check_finished()
        prepare_directory(directory, source, force=force)
        write_directory(self, directory, force=force)
        return directory
