"""Settings: every ``SHOAL_`` variable, with its type, default and meaning."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import quote

import msgspec
from msgspec import Meta

from shoal.shared.errors import SettingsError
from shoal.shared.wire import explain

PREFIX = "SHOAL_"
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# What Kubernetes sets for each service named `shoal` or `shoal-…`, and Docker for a link to such a
# container: the variable, and its value, since SHOAL_PORT=80 is somebody's misspelt setting.
SERVICE_VARIABLES = (
    (r"SERVICE_HOST", r"[0-9a-fA-F.:]+"),
    (r"SERVICE_PORT(_\w+)?", r"\d+"),
    (r"PORT(_\d+_(TCP|UDP|SCTP)(_START|_END)?)?", r"(tcp|udp|sctp)://.+"),
    (r"PORT_\d+_(TCP|UDP|SCTP)_(PROTO|ADDR|PORT|PORT_START|PORT_END)", r"[\w.:]+"),
    (r"NAME", r"/.+/.+"),
    (r"ENV_\w+", r".*"),
)


@dataclass(frozen=True)
class _ReadBy:
    """Part of a type: what makes a value of a variable's text, before msgspec checks it."""

    read: Callable[[str], object]


def _read_path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _read_directories(text: str) -> tuple[Path, ...]:
    """Read the directories that ``text`` lists.

    Raises:
        ValueError: It lists none, which must not come to mean anywhere.
    """
    listed = (Path(name).expanduser() for name in text.split(os.pathsep) if name.strip())
    directories = tuple(path.resolve() for path in listed)
    if not directories:
        raise ValueError(f"no directory in {text!r}.")
    return directories


def _read_prefixes(text: str) -> tuple[str, ...]:
    """Read the prefixes of URLs that ``text`` lists.

    Raises:
        ValueError: It lists none, or something else; which must not come to mean any URL.
    """
    prefixes = tuple(text.split())
    if not prefixes or not all(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", each) for each in prefixes):
        raise ValueError(f"{text!r} is not a list of URLs such as s3://BUCKET/PREFIX.")
    return prefixes


def _read_bytes(text: str) -> int:
    """Read the bytes that ``1048576``, ``512K``, ``500M``, ``2G`` or ``2GiB`` stand for.

    Raises:
        ValueError: ``text`` is of another form.
    """
    match = re.fullmatch(r"\s*(\d+)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if not match:
        raise ValueError(f"{text!r} is no number of bytes; write, for example, 1048576, 500M or 2G")
    return int(match[1]) * UNITS[match[2].upper()]


def _seconds(least: float, most: float) -> Meta:
    return Meta(ge=least, le=most, description=f"a number of seconds from {least:,} to {most:,}")


AbsolutePath = Annotated[Path, _ReadBy(_read_path)]
Directories = Annotated[tuple[Path, ...], _ReadBy(_read_directories)]
UrlPrefixes = Annotated[tuple[str, ...], _ReadBy(_read_prefixes)]
Bytes = Annotated[int, Meta(ge=1, description="1 byte or more"), _ReadBy(_read_bytes)]
CacheBytes = Annotated[int, Meta(ge=0, description="0 bytes or more"), _ReadBy(_read_bytes)]
PixelCount = Annotated[int, Meta(ge=1, description="1 pixel or more")]
# The bounds of what an operator may set: libraries need some memory whatever the image, Redis
# refuses times of many centuries, and workers give a heartbeat each second.
DecodingBytes = Annotated[int, Meta(ge=2**26, description="64M or more"), _ReadBy(_read_bytes)]
DecodingSeconds = Annotated[float, _seconds(0.1, 86_400)]
RetentionSeconds = Annotated[float, _seconds(1, 315_360_000)]
LeaseSeconds = Annotated[float, _seconds(3, 86_400)]
SweepSeconds = Annotated[float, _seconds(0.5, 3_600)]
# Shorter ones can be guessed.
Token = Annotated[str, Meta(min_length=16, description="16 characters or more")]


class LogFormat(StrEnum):
    """Forms of the lines of a log."""

    LOGFMT = "logfmt"
    JSON = "json"


def setting(default: Any, meaning: str, *, is_secret: bool = False) -> Any:
    """Declare a setting, with the meaning that the documents give it; never show a secret."""
    return field(default=default, repr=not is_secret, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an operator may set, read once by each entry point."""

    redis_url: str | None = setting(
        None,
        "Redis to use: `redis://`, `rediss://` or `unix://`. Unset: the embedded server.",
        is_secret=True,
    )
    redis_password_file: AbsolutePath | None = setting(
        None, "File with the password of that Redis. Unset: the one in the URL, if any."
    )
    home: AbsolutePath | None = setting(
        None, "Where the embedded server keeps its data. Unset: the user's data directory."
    )
    shards_url: str | None = setting(
        None,
        "Where features, coordinates and thumbnails are kept, the same on every machine:"
        " `file:///DIRECTORY`, `s3://BUCKET/PREFIX`, `gs://…` or `az://…`."
        " Unset: files beside the embedded server's data, or in your Redis.",
    )
    cache_bytes: CacheBytes = setting(
        10 * 2**30,
        "Disk for the rows of images that were seen before, which later jobs find again."
        " 0: none are kept.",
    )
    image_roots: Directories = setting(
        (),
        "Workers and the page read images only under these directories (separated by `:`)."
        " Unset: anywhere.",
    )
    image_urls: UrlPrefixes = setting(
        (),
        "Images are read from URLs only if they begin with one of these (separated by blanks), such"
        " as `s3://BUCKET/PREFIX` or `https://HOST`; a host that is named may have a private"
        " address. Unset: from any bucket, and any web server of a public address, but from none"
        " where `SHOAL_IMAGE_ROOTS` is set.",
    )
    organize_roots: Directories = setting(
        (),
        "Whoever may use the page may bring images of jobs into folders below these directories"
        " (separated by `:`), also away from where they are. Unset: nothing is moved over HTTP.",
    )
    embedding_model: AbsolutePath | None = setting(
        None, "ONNX image model for `embedding`, on every worker. Unset: the one that Shoal ships."
    )
    fit_memory: Bytes = setting(
        2**30,
        "Memory for the images that the model is fitted on (`500M`, `2G`)."
        " Of a larger job, a sample is used.",
    )
    max_image_bytes: Bytes = setting(
        2**29, "Larger files are not decoded; they count as failed images."
    )
    max_image_pixels: PixelCount = setting(
        250_000_000, "Images with more pixels are not decoded; they count as failed."
    )
    image_memory: DecodingBytes = setting(
        2**32, "Images that need more memory than this count as failed (Linux only)."
    )
    image_seconds: DecodingSeconds = setting(
        60.0, "Images that take longer than this count as failed."
    )
    features_seconds: RetentionSeconds = setting(
        86_400.0, "How long features are kept after a job has ended."
    )
    results_seconds: RetentionSeconds = setting(
        2_592_000.0, "How long results are kept after a job has ended."
    )
    lease_seconds: LeaseSeconds = setting(
        15.0, "A batch or fit without a heartbeat for this long is given to another process."
    )
    sweep_seconds: SweepSeconds = setting(5.0, "How often each worker looks for lost work.")
    log_format: LogFormat = setting(
        LogFormat.LOGFMT,
        "Lines of the logs of workers and of `shoal serve`: `logfmt` (`key=value`) or `json`.",
    )
    web_token: Token | None = setting(
        None,
        "Whoever knows it may use `shoal serve`; 16 characters or more."
        " Unset: any program on this machine may.",
        is_secret=True,
    )

    @property
    def late_seconds(self) -> float:
        """Without a heartbeat for this long, a worker is silent: one of them is missing."""
        return 2 * self.sweep_seconds

    @property
    def lost_seconds(self) -> float:
        """Without a heartbeat for this long, a worker counts as lost, and others get its work."""
        return max(self.lease_seconds, 3 * self.sweep_seconds)


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings in ``environ``.

    Raises:
        SettingsError: A variable does not parse or is out of bounds, or no setting has its name.
    """
    readers = _list_readers()
    values: dict[str, object] = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or not text:
            continue
        if name not in readers and _is_of_a_service(variable, text):
            continue
        if name not in readers:
            known = ", ".join(PREFIX + name.upper() for name in readers)
            raise SettingsError(f"{variable} is not a setting; the settings are {known}")
        try:
            value = readers[name](text)
        # A number of thousands of digits, a NUL in a path, the home of nobody.
        except (ValueError, RuntimeError) as error:
            raise SettingsError(f"{variable}: {error}") from error
        if value != "":  # blanks alone set nothing, like an empty variable
            values[name] = value
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        name, expected = explain(error, Settings)
        raise SettingsError(f"{PREFIX}{name.upper()}: Expected {expected}.") from None
    return _add_password(settings)


def _add_password(settings: Settings) -> Settings:
    """Put the password that is in a file into the URL of Redis, from which all parts read it.

    Raises:
        SettingsError: The file cannot be read, has no password, or there is no URL.
    """
    variable, path, url = (
        "SHOAL_REDIS_PASSWORD_FILE",
        settings.redis_password_file,
        settings.redis_url,
    )
    if path is None:
        return settings
    if url is None:
        raise SettingsError(f"{variable} is of no use without SHOAL_REDIS_URL: set it, too.")
    try:
        # A file ends in a newline, whether it belongs to the password or not.
        password = path.read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{variable}: {path} cannot be read ({error.strerror}).") from error
    except ValueError:  # which would show the bytes
        raise SettingsError(f"{variable}: {path} is not UTF-8.") from None
    if not password:
        raise SettingsError(f"{variable}: {path} is empty.")
    return replace(settings, redis_url=_with_password(url, password))


def _with_password(url: str, password: str) -> str:
    """Return ``url`` with this password in place of its own, if any."""
    scheme, separator, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    credentials, _, host = netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{host}{slash}{path}"


def _is_of_a_service(variable: str, text: str) -> bool:
    """Return whether an orchestrator set a variable, for a service named like this program."""
    return any(
        re.fullmatch(rf"{PREFIX}(\w+_)?{name}", variable) and re.fullmatch(value, text, re.DOTALL)
        for name, value in SERVICE_VARIABLES
    )


def make_environment(settings: Settings) -> dict[str, str]:
    """Make the variables from which another process reads the same ``settings``."""
    values = {PREFIX + f.name.upper(): getattr(settings, f.name) for f in fields(Settings)}
    return {variable: _spell(value) for variable, value in values.items()}


def _spell(value: object) -> str:
    """Spell a setting's value as text, empty where it is not set."""
    if isinstance(value, tuple):
        separator = os.pathsep if all(isinstance(each, Path) for each in value) else " "
        return separator.join(map(str, value))
    return "" if value is None else str(value)


@cache
def _list_readers() -> dict[str, Callable[[str], object]]:
    """Return what reads the text of each setting, by its type; plain types need no more."""
    readers: dict[str, Callable[[str], object]] = {}
    for name, kind in get_type_hints(Settings, include_extras=True).items():
        notes = [note for part in (kind, *get_args(kind)) for note in _list_notes(part)]
        # What comes from a file often ends in a newline.
        readers[name] = next((note.read for note in notes), str.strip)
    return readers


def _list_notes(kind: Any) -> list[_ReadBy]:
    return [note for note in getattr(kind, "__metadata__", ()) if isinstance(note, _ReadBy)]
