"""Lists of images: a path or URL a line, in a file or on standard input."""

import os
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO
from urllib.parse import unquote

from shoal.producer.submission.inputs.found import Found
from shoal.producer.submission.inputs.tables import read_csv, read_parquet
from shoal.producer.submission.inputs.urls import add_image_url, path_of
from shoal.shared.errors import OptionError, SourceError, UnreadableImageError
from shoal.shared.images.kinds import kind_of, readable_kinds
from shoal.shared.sources.open import open_store
from shoal.shared.sources.paths import is_url, join, scheme_of, split
from shoal.shared.sources.policy import UrlPolicy

READ_BYTES = 2**20
MOST_LINE_BYTES = 2**20
# Of a list at a URL, which is in memory: some million lines.
MOST_LIST_BYTES = 2**28
READERS: dict[str, Callable[[Path, str | None], Iterable[str]]] = {
    ".txt": lambda path, _column: read_text(path),
    ".lst": lambda path, _column: read_text(path),
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}


def is_list(given: str) -> bool:
    """Return whether a file is a list by its name."""
    return Path(given).suffix.lower() in READERS


def add_list(given: str, found: Found) -> str:
    """Add the images that a file lists; relative paths are relative to its folder.

    Raises:
        SourceError: It cannot be read.
    """
    folder, _, name = os.path.abspath(given).rpartition("/")  # noqa: PTH100  a link keeps its name
    path = Path(found.resolve_folder(folder or "/"), name)
    try:
        add_lines(READERS[path.suffix.lower()](path, found.column), str(path.parent), found)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    return str(path)


def is_list_url(given: str) -> bool:
    """Return whether a URL is that of a list by its name."""
    return is_url(given) and is_list(path_of(given))


def add_list_url(given: str, found: Found) -> str:
    """Add the images of a list at a URL; what is relative in it is relative to that URL.

    Raises:
        SourceError: It may not be read, or cannot be.
    """
    UrlPolicy.of(found.settings).check([given])
    folder, name = split(given)
    try:
        content, _ = open_store(folder, found.settings).get(name, MOST_LIST_BYTES)
    except UnreadableImageError as error:
        raise SourceError(f"{given} cannot be read: {error.detail}.") from error
    suffix = Path(path_of(given)).suffix.lower()
    with NamedTemporaryFile(suffix=suffix) as file:
        file.write(content)
        file.flush()
        try:
            add_urls(READERS[suffix](Path(file.name), found.column), folder, found)
        except SourceError as error:
            raise SourceError(str(error).replace(file.name, given)) from error
        except OptionError as error:
            raise OptionError(error.option, str(error).replace(file.name, given)) from error
    return given


def add_urls(lines: Iterable[str], folder: str, found: Found) -> None:
    """Add the images of a list that another machine has: nothing in it is a file of this one.

    Raises:
        SourceError: There is the URL of a file in it.
    """
    for line in lines:
        name = _unquote(line.removesuffix("\r"))
        if scheme_of(name) == "file":
            raise SourceError(f"A list at a URL has no files: {name}.")
        if name:
            add_image_url(name if is_url(name) else join(folder, name.lstrip("/")), found)


def add_stdin(given: str, found: Found) -> str:
    """Add the images that standard input lists; relative paths are as for a shell."""
    add_lines(split_lines(sys.stdin.buffer, "standard input"), str(Path.cwd()), found)
    return given


def read_text(path: Path) -> Iterator[str]:
    """Yield the lines of a file."""
    with path.open("rb") as file:
        yield from split_lines(file, str(path))


def split_lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of a file, which are ended by NULs if there are any: `find -print0`.

    Raises:
        SourceError: It is UTF-16, or is no text.
    """
    block = file.read(READ_BYTES).removeprefix(BOM_UTF8)
    if block.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise SourceError(f"{name} is UTF-16: save it as UTF-8.")
    separator, rest = (b"\0" if b"\0" in block else b"\n"), b""
    while block:
        whole, ended, after = block.rpartition(separator)
        if ended:
            yield from os.fsdecode(rest + whole).split(os.fsdecode(separator))
            rest = after
        else:
            rest += block
        if len(rest) > MOST_LINE_BYTES:
            raise SourceError(f"{name} has a line of more than 1 MB: it is no list of paths.")
        block = file.read(READ_BYTES)
    yield os.fsdecode(rest)


def add_lines(lines: Iterable[str], folder: str, found: Found) -> None:
    """Add the images of a list.

    Args:
        lines: Paths and URLs.
        folder: What relative paths are relative to.
        found: What they are added to.
    """
    for line in lines:
        name = _unquote(line.removesuffix("\r"))
        if not name:
            continue
        if is_url(name):
            _add_url(name, found)
        else:
            whole = name if name.startswith("/") else f"{folder}/{name}"
            is_winding = "/./" in whole or "/../" in whole or "//" in whole
            found.add_file(os.path.normpath(whole) if is_winding else whole, folder)


def _add_url(url: str, found: Found) -> None:
    if url.lower().startswith("file:///"):
        found.add_file(unquote(url[7:]))
    else:
        add_image_url(url, found)


def _unquote(line: str) -> str:
    """Return a line without quotes around it, unless they are a part of the name."""
    if line[-1:] in "\"'" and line[:1] == line[-1:] and kind_of(line[1:-1]) in readable_kinds():
        return line[1:-1]
    return line
