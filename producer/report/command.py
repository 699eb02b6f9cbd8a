"""The command that repeats a job."""

from shlex import quote

from shoal.shared.findings import Summary
from shoal.shared.jobs import JobRequest


def make_repeat_command(request: JobRequest, summary: Summary) -> str:
    """Make the shell command that repeats a job, with all options that its labels depend on."""
    options = {
        "features": request.features,
        "image-size": request.image_size,
        "components": summary.n_components,
        "clusters": request.clusters,
        "algorithm": request.algorithm,
        "random-state": request.random_state,
        "batch-size": request.batch_size,
    }
    given = [
        f"--{name} {quote(str(value))}" for name, value in options.items() if value is not None
    ]
    return " ".join(["shoal run", quote(request.source), *given])
