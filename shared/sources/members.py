"""Members of archives: files in a tar or a zip, and what is in it beside them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from shoal.shared.errors import SourceError

TAR, ZIP = "tar", "zip"
# What an archive is called in the locations of a job whose source it is.
ITSELF = "."
# Tars that can be read only from their beginning, and so by one process alone.
COMPRESSED = (
    *(".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz"),
    *(".tar.zst", ".tzst", ".tar.lz4", ".tar.lzma", ".tar.z"),
)
# What no version of Shoal opens, but users may give in place of a folder.
OTHER_ARCHIVES = (".7z", ".rar", ".cbr", ".cb7")


class Member(NamedTuple):
    """A regular file in an archive.

    Attributes:
        path: In the archive, without ``.``, ``..`` and a leading slash; bytes that are not UTF-8
            are surrogates, as ``os.fsdecode`` makes them.
        offset: Of the first byte of a tar member's content, of a zip member's local header.
        size: Bytes of it in the archive.
        length: Bytes once unpacked.
        method: How a zip packed it: 0 stored, 8 deflate.
        checksum: CRC-32 of a zip member.
    """

    path: str
    offset: int
    size: int
    length: int
    method: int = 0
    checksum: int = 0


@dataclass
class Omitted:
    """What an archive has beside its regular files, by kind, and what is wrong with it.

    Attributes:
        kinds: Number of members that are never read, such as links, by what they are.
        damage: From where on it could not be read, and why; "" if it is whole.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    damage: str = ""


def archive_kind(path: str) -> str:
    """Return "tar" or "zip" for the path of an archive that workers can read; "" for any other."""
    ending = path[-4:].lower()
    return {".tar": TAR, ".zip": ZIP, ".cbz": ZIP}.get(ending, "")


def is_other_archive(path: str) -> bool:
    """Return whether a path is that of an archive which ``refuse_other_archives`` refuses."""
    return path.lower().endswith((*COMPRESSED, *OTHER_ARCHIVES))


def refuse_other_archives(path: str) -> None:
    """Refuse an archive of which no single image can be read.

    Raises:
        SourceError: It is one; the message says what to do.
    """
    if path.lower().endswith(COMPRESSED):
        raise SourceError(
            f"{path} is a compressed tar, of which no image can be read without all before it:"
            " unpack it and give the folder, or take the compression away (gunzip, bunzip2, unxz or"
            " unzstd) and give the .tar."
        )
    if is_other_archive(path):
        raise SourceError(f"{path} is an archive that is not read: unpack it and give the folder.")


def clean_path(name: str) -> str | None:
    """Return a member's name as a path in its archive; None if it would lead out of it."""
    # Nearly all names are clean: a look is a tenth of taking them apart.
    if "/." not in name and "//" not in name and not name.startswith(("/", ".")):
        return name if name and "\0" not in name else None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name or not parts:
        return None
    return "/".join(parts)
