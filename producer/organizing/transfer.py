"""One file gets a link, a copy or another place. Each is whole or not there, and replaces nothing.

``os.rename`` is not used: it replaces what is there.
"""

import ctypes
import errno
import os
import shutil
import stat
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from shoal.producer.organizing.steps import SkipReason, StepError
from shoal.shared.images.files import OPEN_FLAGS, new_digest

BLOCK_BYTES = 2**20
AT_FDCWD, RENAME_NOREPLACE = -100, 1  # of Linux
RENAME_EXCL = 4  # of macOS
# What a file system answers that cannot rename without replacing, or has no hard links.
UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}


def read_digest(path: Path) -> int:
    """Digest a regular file's content, without holding all of it in memory.

    Raises:
        StepError: It is no regular file any more.
        OSError: It cannot be read.
    """
    digest = new_digest()
    with _open(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.intdigest()


def check_unchanged(path: Path, digest: int) -> None:
    """Check that a file's content is still that of the job.

    Raises:
        StepError: It is another.
        OSError: It cannot be read.
    """
    if read_digest(path) != digest:
        raise _changed()


def copy_verified(source: Path, partial: Path, digest: int) -> None:
    """Copy a file under a temporary name, until the disk has it.

    The copy is read again and its digest compared. It has the times and permissions of the file,
    and its owner if this process may give files away.

    Raises:
        StepError: The file's content is not that of ``digest`` any more, or the copy's is not.
        OSError: It cannot be read or written.
    """
    partial.unlink(missing_ok=True)
    found = new_digest()
    try:
        # Private, until it has the permissions of the file.
        new_file = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(new_file, "wb") as new, _open(source) as old:
            while block := old.read(BLOCK_BYTES):
                found.update(block)
                new.write(block)
            new.flush()
            if found.intdigest() != digest:
                raise _changed()
            owner = os.fstat(old.fileno())
            with suppress(OSError):  # only an administrator may; permissions are set after it
                os.fchown(new.fileno(), owner.st_uid, owner.st_gid)
            with suppress(OSError):  # some file systems have no permissions or times
                shutil.copystat(source, partial)
            os.fsync(new.fileno())
            if hasattr(os, "posix_fadvise"):  # else the cache would answer, not the disk
                os.posix_fadvise(new.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if read_digest(partial) != digest:
            raise StepError(SkipReason.REFUSED, "the copy differs from the file: check the disk")
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def rename_new(old: Path, new: Path) -> None:
    """Rename a file within its file system, unless there is something of the new name.

    Where the system cannot do this in one step, the file has both names for a moment.

    Raises:
        FileExistsError: There is something of the new name.
        OSError: It cannot be renamed; ``EXDEV`` if the places are on different file systems.
    """
    try:
        _rename_at_once(old, new)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        os.link(old, new, follow_symlinks=False)
        try:
            old.unlink()
        except OSError:  # such as in another user's folder: the file stays where it is
            new.unlink()
            raise


def _rename_at_once(old: Path, new: Path) -> None:
    library = _load_library()
    names = os.fsencode(old), os.fsencode(new)
    if sys.platform == "darwin":
        failed = library.renamex_np(*names, RENAME_EXCL)
    elif hasattr(library, "renameat2"):
        failed = library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_NOREPLACE)
    else:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(old), None, str(new))


@cache
def _load_library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder, where the file system can say so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some network file systems refuse, and write names at once
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether two names are those of one file; False if one of them is missing."""
    with suppress(OSError):
        return os.path.samestat(one.lstat(), other.lstat())
    return False


def leads_to(one: Path, other: Path) -> bool:
    """Return whether one path is only another way to the file of ``other``, by a link in it.

    Two hard links of a file are none: each of them may go.
    """
    return os.path.realpath(one) == os.path.realpath(other)


def is_inside(folder: Path, directory: Path) -> bool:
    """Return whether a folder is inside a directory, and no link leads out of it."""
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(directory))


def _open(path: Path) -> IO[bytes]:
    descriptor = os.open(path, OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StepError(SkipReason.CHANGED, "it is no regular file any more")
    return os.fdopen(descriptor, "rb")


def _changed() -> StepError:
    return StepError(SkipReason.CHANGED, "its content is not that which the job has seen")
