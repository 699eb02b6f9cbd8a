"""Commands that a page shows, for a person to copy into a shell."""

from shoal.producer.duplicates.decisions import KeepRule
from shoal.producer.organizing import Mode
from shoal.producer.report.command import quote_path


def make_organize_command(job_id: str, directory: str, mode: Mode, *, flat: bool) -> str:
    """Make the command that puts images into folders."""
    words = ["shoal", "organize", job_id, quote_path(directory), "--mode", mode]
    return " ".join([*words, *(["--flat"] if flat else [])])


def make_move_command(job_id: str, directory: str, keep: KeepRule, *, exact: bool) -> str:
    """Make the command that moves the duplicates that are not kept."""
    words = ["shoal", "duplicates", job_id, "--keep", keep, *(["--exact"] if exact else [])]
    return " ".join([*words, "--move", quote_path(directory)])


def make_undo_command(directory: str) -> str:
    """Make the command that takes back what was done in a directory."""
    return f"shoal undo {quote_path(directory)}"
