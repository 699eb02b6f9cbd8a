"""Tars and zips for tests, and what they have by the listing of a job."""

import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from shoal.shared.sources.members import Member, Omitted
from shoal.shared.sources.tar import list_tar
from shoal.shared.sources.view import LOCAL_BYTES, View
from shoal.shared.sources.zip import list_zip


def make_tar(
    path: Path, contents: Mapping[str, bytes], tar_format: int = tarfile.GNU_FORMAT
) -> Path:
    with tarfile.open(path, "w", format=tar_format) as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return age(path)


def make_zip(path: Path, contents: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return age(path)


def age(path: Path) -> Path:
    """Let a file have been written some seconds ago: of one just written, listing waits a while."""
    then = path.stat().st_mtime - 10
    os.utime(path, (then, then))
    return path


def view_of(content: bytes, ahead: tuple[int, int] = LOCAL_BYTES) -> View:
    return View("it", lambda offset, n: content[offset : offset + n], len(content), ahead)


def list_content(content: bytes, kind: str) -> tuple[list[Member], Omitted]:
    omitted = Omitted()
    list_members = list_zip if kind == "zip" else list_tar
    return list(list_members(view_of(content), omitted)), omitted


def list_file(path: Path) -> tuple[list[Member], Omitted]:
    return list_content(path.read_bytes(), path.suffix[1:])


def names_in(path: Path) -> list[str]:
    return [member.path for member in list_file(path)[0]]


def as_folder(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder, by path in the order of their bytes."""
    files = sorted((p for p in folder.rglob("*") if p.is_file()), key=os.fsencode)
    return {os.fspath(file.relative_to(folder)): file.read_bytes() for file in files}
