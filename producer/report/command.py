"""The command that repeats a job."""

import re
from collections.abc import Mapping
from shlex import quote

from shoal.shared.jobs import Algorithm, JobRequest, Status

# Surrogates stand for bytes that are not UTF-8.
NO_UTF8 = re.compile(r"[\udc80-\udcff]")
NO_UTF8_OR_QUOTE = re.compile(r"[\udc80-\udcff\\']")


def make_repeat_command(request: JobRequest) -> str:
    """Make the shell command that repeats a job, with all options that its labels depend on.

    What was not given is not given again: by its options, a job finds the job before.
    """
    if request.model_of:
        return " ".join(["shoal assign", request.model_of, *_give_images(request)])
    if request.coordinates_of:
        return _repeat_recluster(request, request.coordinates_of)
    options = {
        "features": request.features,
        "image-size": request.image_size,
        "components": request.components,
        "clusters": request.clusters,
        "algorithm": request.algorithm,
        "random-state": request.random_state,
        "batch-size": request.batch_size,
    }
    level = [f"--{request.level}"] if request.level else []
    flags = {"--renumber": request.renumber, "--keep-model": request.keep_model}
    chosen = [name for name, is_set in flags.items() if is_set]
    given = _give(options)
    return " ".join(["shoal run", *_give_images(request), *given, *level, *chosen])


def make_retry_command(status: Status) -> str:
    """Make the shell command that tries failed images again; "" where that cannot be."""
    if status.request.coordinates_of:
        return ""
    return " ".join(["shoal retry", status.job_id, "--failed-only"])


def _give_images(request: JobRequest) -> list[str]:
    """Write as words of a command which images were submitted."""
    excluded = [f"--exclude {quote_path(pattern)}" for pattern in request.exclude]
    column = [f"--column {quote_path(request.column)}"] if request.column else []
    return [*map(quote_path, request.given), *excluded, *column]


def _repeat_recluster(request: JobRequest, job_id: str) -> str:
    options = {
        "cluster": request.cluster,
        "components": request.components,
        "clusters": None if request.algorithm is Algorithm.HDBSCAN else request.clusters,
        "algorithm": request.algorithm,
        "random-state": request.random_state,
    }
    level = [f"--{request.level}"] if request.level else []
    return " ".join([f"shoal recluster {job_id}", *_give(options), *level])


def _give(options: Mapping[str, object]) -> list[str]:
    """Write options as words of a command, without those that are None."""
    return [f"--{name} {quote(str(value))}" for name, value in options.items() if value is not None]


def quote_path(path: str) -> str:
    """Quote a path for a shell; bytes that are not UTF-8 as bash, zsh and POSIX of 2024 do it."""
    if NO_UTF8.search(path):
        return f"$'{NO_UTF8_OR_QUOTE.sub(_escape, path)}'"
    return quote(path)


def _escape(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]) & 0xFF:02x}"
