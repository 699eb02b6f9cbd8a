"""Image models of the user's own, checked before a job is submitted that needs them."""

import os
import subprocess
import sys
from pathlib import Path

from shoal.producer.local.environment import worker_environment
from shoal.shared.errors import UsageError

CHECK_MODEL = """
import pathlib, sys
from shoal.shared.errors import ShoalError
from shoal.worker.extractors.embedding import check_model
try:
    check_model(pathlib.Path(sys.argv[1]))
except ShoalError as error:
    print(error)
    sys.exit(1)
"""


def check_model(path: Path) -> None:
    """Check that workers can use an ONNX model, in a process of its own: this one imports no numpy.

    Raises:
        UsageError: They cannot; the message says why.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHECK_MODEL, os.fspath(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of libraries
        env=worker_environment() | {"PYTHONIOENCODING": "utf-8:surrogateescape"},
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
    if done.returncode:
        reason = done.stdout.strip() or f"loading {path} ended its process ({done.returncode})"
        raise UsageError(f"SHOAL_EMBEDDING_MODEL: {reason}")
