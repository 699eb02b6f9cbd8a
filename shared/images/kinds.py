"""Kinds of files by their extensions: images that are read, and images that are not."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

# TGA files have no signature: only a file of such a name is taken for one.
TGA = frozenset({"tga", "icb", "vda", "vst"})
# What the decoders of FORMATS read; the content decides which of them it is.
READ = (
    frozenset({"jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp", "mpo"})
    | {"png", "apng", "webp", "avif", "avifs", "gif"}
    | {"tif", "tiff", "bmp", "dib", "pbm", "pgm", "ppm", "pnm"}
    | {"jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "psd", "qoi", "ico"}
    | TGA
)


@dataclass(frozen=True)
class Extra:
    """A package that reads further kinds of images, where it is installed.

    Attributes:
        package: As in ``pip install``.
        module: As in ``import``.
        kinds: Extensions of the files.
    """

    package: str
    module: str
    kinds: frozenset[str]


HEIC = Extra("pillow-heif", "pillow_heif", frozenset({"heic", "heics", "heif", "heifs", "hif"}))
JXL = Extra("imagecodecs", "imagecodecs", frozenset({"jxl"}))
RAW = Extra(
    "rawpy",
    "rawpy",
    frozenset({"3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq"})
    | {"k25", "kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl"}
    | {"sr2", "srf", "srw", "x3f"},
)
EXTRAS = (HEIC, JXL, RAW)

# Images all the same. Whoever has them must not be told that they are none.
UNREAD = (
    frozenset({"jxr", "wdp", "hdp"})
    # Of editors, and drawings
    | {"psb", "xcf", "kra", "ora", "svg", "svgz", "eps", "wmf", "emf"}
    | {"jph", "jpm", "jxs", "bpg", "flif"}
    | {"cur", "dcx", "dds", "icns", "pam", "pcd", "pct", "pcx", "pfm", "pict", "ras"}
    | {"sgi", "wbmp", "xbm", "xpm", "cin", "dpx", "exr", "hdr"}
    # Of microscopes, scanners and telescopes
    | {"czi", "dcm", "fit", "fits", "fts", "lif", "lsm", "nd2", "ndpi", "svs"}
)
# Longer ones are parts of names, as in "IMG_1 copy.from my phone".
MOST_CHARACTERS = 10


@cache
def readable_kinds() -> frozenset[str]:
    """Return the extensions of the images that are read here, with the extras installed here."""
    return READ.union(*(extra.kinds for extra in EXTRAS if find_spec(extra.module)))


@cache
def missing_packages() -> Mapping[str, str]:
    """Return the packages that would read further kinds, by extension."""
    missing = (extra for extra in EXTRAS if not extra.kinds <= readable_kinds())
    return {kind: extra.package for extra in missing for kind in extra.kinds}


def kind_of(path: str) -> str:
    """Return the lower-case extension of a path without its dot; "" if it tells nothing."""
    _, dot, last = path.rpartition(".")
    is_plain = last.isascii() and last.isalnum() and not last.isdigit()
    return last.lower() if dot and is_plain and len(last) <= MOST_CHARACTERS else ""
