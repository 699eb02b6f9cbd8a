"""Sources: what was given is taken apart into inputs, each of which is of one kind."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shoal.producer.submission.braces import expand_braces, has_braces
from shoal.producer.submission.folder import (
    check_has_images,
    explain_unlistable,
    read_folder,
    resolve_source,
)
from shoal.producer.submission.inputs.archives import add_archive, add_archives, is_archive
from shoal.producer.submission.inputs.exclusion import make_exclusion
from shoal.producer.submission.inputs.files import add_file, add_folder, add_pattern, is_pattern
from shoal.producer.submission.inputs.found import Found, check_roots
from shoal.producer.submission.inputs.lists import (
    add_list,
    add_list_url,
    add_stdin,
    is_list,
    is_list_url,
)
from shoal.producer.submission.inputs.urls import add_url, is_url_pattern, refuse_url_pattern
from shoal.producer.submission.listing import Listing
from shoal.shared.errors import SourceError, SourceUnavailableError
from shoal.shared.jobs import STDIN
from shoal.shared.redis.client import GOES_ON
from shoal.shared.settings import Settings
from shoal.shared.sources.given import fixed_part
from shoal.shared.sources.members import archive_kind
from shoal.shared.sources.paths import is_url

# More are kept as if they had been listed on standard input: a request is read by everybody.
MOST_INPUTS = 100
TRY_AGAIN = "Nothing was submitted: try again later."


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        takes: Tells whether something that was given is of this kind.
        add: Adds its images; returns what it is called for the job, in full.
    """

    takes: Callable[[str], bool]
    add: Callable[[str, Found], str]


def add_braces(given: str, found: Found) -> str:
    """Add all that a name with braces stands for, such as ``shards-{000..099}.tar``."""
    if archive_kind(given):
        add_archives(expand_braces(given), found)
    else:
        for name in expand_braces(given):
            _add(name, found)
    return given if is_url(given) else os.path.abspath(given)  # noqa: PTH100


# The first that takes what was given counts.
KINDS = (
    Kind(lambda given: given == STDIN, add_stdin),
    Kind(is_url_pattern, refuse_url_pattern),
    Kind(lambda given: has_braces(given) and not os.path.exists(given), add_braces),  # noqa: PTH110
    Kind(is_archive, add_archive),
    Kind(is_list_url, add_list_url),
    Kind(is_url, add_url),
    Kind(os.path.isdir, add_folder),
    Kind(lambda given: is_list(given) and os.path.isfile(given), add_list),  # noqa: PTH113
    Kind(os.path.exists, add_file),
    Kind(is_pattern, add_pattern),
)


@dataclass(frozen=True)
class Selection:
    """Which of the images of a source are wanted.

    Attributes:
        exclude: Patterns of what is left out, as in a .gitignore.
        column: Column of tables that has the paths; None finds it by its name.
        roots: Directories that nothing may lead out of; empty is anywhere.
    """

    exclude: tuple[str, ...] = ()
    column: str | None = None
    roots: tuple[Path, ...] = ()


def read_sources(
    given: Sequence[str], settings: Settings, selection: Selection | None = None
) -> Listing:
    """List the images of what was given: one or more folders, files, patterns, lists, URLs.

    Raises:
        SourceError: One of them is missing, cannot be read, or may not be; or there are no images.
        SourceUnavailableError: A bucket or server cannot be asked for now.
        OptionError: A pattern cannot be read, or a table has no such column.
    """
    try:
        return _read_sources(given, settings, selection or Selection())
    except SourceUnavailableError as error:
        # What the places say is meant for workers.
        raise SourceUnavailableError(str(error).replace(GOES_ON, TRY_AGAIN)) from error


def _read_sources(given: Sequence[str], settings: Settings, wanted: Selection) -> Listing:
    if not given or not all(given):
        raise SourceError("The folder's name is empty; the current directory is '.'.")
    names = [_expand(each) for each in given]
    for name in names:
        _check_text(name)
    if len(names) == 1 and os.path.isdir(names[0]) and not wanted.exclude:  # noqa: PTH112
        return read_folder(Path(names[0]))
    excludes = make_exclusion(wanted.exclude)
    found = Found(settings, column=wanted.column, roots=wanted.roots, excludes=excludes)
    inputs = [_add(name, found) for name in names]
    listing = found.make_listing()
    return _describe(listing, found, inputs, wanted)


def _expand(given: str) -> str:
    """Return what was given with ``~`` resolved, which not every shell does."""
    return os.path.expanduser(given) if given == "~" or given.startswith("~/") else given  # noqa: PTH111


def _check_text(given: str) -> None:
    """Check that a name can be a path's, which JSON can have otherwise.

    Raises:
        SourceError: It has a character that is none.
    """
    try:
        os.fsencode(given)
    except UnicodeEncodeError:
        raise SourceError(f"{given!a} is no name of a file: it has half a character.") from None


def _add(given: str, found: Found) -> str:
    # A link that braces name leads elsewhere too, and no answer is to say what is there.
    if found.roots and given != STDIN and not is_url(given):
        check_roots(os.path.realpath(fixed_part(given)), found.roots)
    for kind in KINDS:
        if kind.takes(given):
            return kind.add(given, found)
    path = resolve_source(Path(given))
    raise SourceError(f"{path} {explain_unlistable(path, FileNotFoundError())}")


def _describe(listing: Listing, found: Found, inputs: Sequence[str], wanted: Selection) -> Listing:
    """Return a listing with what was given, as far as the source alone does not say it."""
    is_plain = list(inputs) == [listing.source]
    kept = () if is_plain else tuple(inputs) if len(inputs) <= MOST_INPUTS else (STDIN,)
    whole = replace(
        listing,
        inputs=kept,
        exclude=wanted.exclude,
        column=wanted.column,
        excluded=found.n_excluded,
        given_again=found.n_repeated,
    )
    check_has_images(whole)
    return whole
