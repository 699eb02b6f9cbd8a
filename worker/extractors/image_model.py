"""Image models: ONNX graphs that turn an image into a row of numbers."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import UsageError
from shoal.worker.extractors.extractor import Features, Images
from shoal.worker.extractors.geometry import scale_to_length_one
from shoal.worker.extractors.model_input import ModelInput
from shoal.worker.extractors.model_notes import ModelNotes, notes_path, read_notes

REMEDY = "The features 'embedding' need onnxruntime: pip install onnxruntime"
# Suffixes of the files in which exporters put the weights of models too large for one file.
WEIGHTS = (".data", "_data")
ERRORS_ONLY = 3
PROBES = 4
# How often a model is read whose files change meanwhile.
LOOKS = 3
# Part of each digest: what is made of a model's output.
GEOMETRY = b"length 1"


@dataclass(frozen=True)
class ImageModel:
    """A model that is ready to run in this process.

    Attributes:
        path: Its ONNX file.
        session: An ``InferenceSession`` of onnxruntime.
        input: What the graph takes.
        output: Name of the output that is the embedding.
        notes: What its file does not say.
        digest: SHA-256, in hex, of the model and the notes that were loaded, whatever becomes of
            their files: others may give other features.
    """

    path: Path
    session: Any
    input: ModelInput
    output: str
    notes: ModelNotes
    digest: str

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load the model of a file, to run on one core.

        Raises:
            UsageError: onnxruntime is missing, the file is no ONNX model, or the model does not
                take one image; or its files change all the time.
        """
        for _ in range(LOOKS):
            before = _describe_files(path)
            session, notes, digest = _open_session(path), read_notes(path), _digest_model(path)
            # Each part is read by itself: all of them are of one state of the files, or none.
            if _describe_files(path) == before:
                break
        else:
            raise UsageError(f"{path} changes while it is read: try again once it is complete.")
        taken = ModelInput.read(path, session.get_inputs(), notes)
        output = _choose_output(path, session, notes)
        return cls(path, session, taken, output, notes, digest)

    @cached_property
    def square_root(self) -> bool:
        """Whether the square root of each value is compared.

        If the notes do not say it: whether none of a few random images has a negative value.
        """
        if self.notes.square_root is not None:
            return self.notes.square_root
        size = self.input.image_size
        noise = np.random.default_rng(0).integers(0, 256, (PROBES, size, size, 3), np.uint8)
        return bool((self._run_all(noise) >= 0).all())

    def embed(self, images: Images) -> Features:
        """Run the model on images.

        Args:
            images: Pixels of shape (n_samples, image_size, image_size, 3), at least one image;
                resized if the model takes another size.

        Returns:
            Features of shape (n_samples, n_features), float32; each row has the length 1.

        Raises:
            UsageError: The graph fails, or does not give one row of finite numbers per image.
        """
        return scale_to_length_one(self._run_all(images), square_root=self.square_root)

    def _run_all(self, images: Images) -> NDArray[np.float32]:
        length = self.notes.batch_size
        starts = range(0, len(images), length)
        return np.concatenate([self._run(images[start : start + length]) for start in starts])

    def _run(self, images: Images) -> NDArray[np.float32]:
        values = {self.input.name: self.input.prepare(images)}
        try:
            (output,) = self.session.run([self.output], values)
        # onnxruntime has a dozen exceptions without a common base.
        except Exception as error:
            raise UsageError(f"{self.path} fails on an image: {error}") from error
        rows = self._pool(np.asarray(output), len(images)).astype(np.float32)
        if not np.isfinite(rows).all():
            raise UsageError(f"{self.path}: output {self.output} has numbers that are not finite.")
        return rows

    def _pool(self, output: NDArray[Any], n_images: int) -> NDArray[Any]:
        """Take the rows of an output of shape (n, n_features) or (n, tokens, n_features)."""
        rows = None
        if output.ndim == 2 and self.notes.pooling is None:
            rows = output
        elif output.ndim == 3 and self.notes.pooling is not None:
            rows = output[:, 0] if self.notes.pooling == "first" else output.mean(axis=1)
        if rows is None or len(rows) != n_images:
            raise UsageError(
                f"{self.path}: output {self.output} has shape {output.shape}; it must be"
                " (n, n_features), or (n, tokens, n_features) with `pooling` in"
                f" {notes_path(self.path).name}."
            )
        return rows


def _list_files(path: Path) -> list[Path]:
    """List the files of a model, its weights and its notes, of which some may be missing."""
    weights = (path.with_name(path.name + suffix) for suffix in WEIGHTS)
    return [path, *weights, notes_path(path)]


def _describe_files(path: Path) -> list[tuple[int, ...]]:
    """Describe what changes with the files of a model: size, times and inode of each."""
    states = list[tuple[int, ...]]()
    for part in _list_files(path):
        with suppress(OSError):  # opening it says why
            state = part.stat()
            states.append((state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino))
    return states


def _digest_model(path: Path) -> str:
    """Compute the SHA-256, in hex, of a model's file, its weights and its notes."""
    digest = hashlib.sha256(GEOMETRY)
    for part in _list_files(path):
        content = part.read_bytes() if part.is_file() else b""
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _open_session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(REMEDY) from error
    options = onnxruntime.SessionOptions()
    # A worker has as many processes as cores.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    try:
        content = str(path.resolve(strict=True))
        return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    # onnxruntime's own, as above, and OSError.
    except Exception as error:
        raise UsageError(f"{path} cannot be used as an ONNX model: {error}") from error


def _choose_output(path: Path, session: Any, notes: ModelNotes) -> str:
    """Choose the output that the notes name, else the only one."""
    names = [output.name for output in session.get_outputs()]
    wanted = names if notes.output is None else [notes.output]
    if len(wanted) == 1 and wanted[0] in names:
        return str(wanted[0])
    raise UsageError(
        f"{path} has the outputs {', '.join(names)}: `output` in {notes_path(path).name} must"
        " name one."
    )
