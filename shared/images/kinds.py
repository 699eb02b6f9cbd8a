"""Kinds of files by their extensions: images that are read, and images that are not."""

# What the decoders of FORMATS read; the content decides which of them it is.
READ = (
    frozenset({"jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp", "mpo"})
    | {"png", "apng", "webp", "avif", "avifs", "gif"}
    | {"tif", "tiff", "bmp", "dib", "pbm", "pgm", "ppm", "pnm"}
)
# Images all the same. Whoever has them must not be told that they are none.
UNREAD = (
    frozenset({"heic", "heics", "heif", "heifs", "hif", "jxl", "jxr", "wdp", "hdp"})
    # Of cameras: raw
    | {"3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "k25", "kdc"}
    | {"mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf"}
    | {"srw", "x3f"}
    # Of editors, and drawings
    | {"psd", "psb", "xcf", "kra", "ora", "svg", "svgz", "eps", "wmf", "emf"}
    | {"jp2", "j2c", "j2k", "jpc", "jpf", "jph", "jpm", "jpx", "jxs", "bpg", "flif", "qoi"}
    | {"cur", "dcx", "dds", "icb", "icns", "ico", "pam", "pcd", "pct", "pcx", "pfm", "pict", "ras"}
    | {"sgi", "tga", "vda", "vst", "wbmp", "xbm", "xpm", "cin", "dpx", "exr", "hdr"}
    # Of microscopes, scanners and telescopes
    | {"czi", "dcm", "fit", "fits", "fts", "lif", "lsm", "nd2", "ndpi", "svs"}
)
# Longer ones are parts of names, as in "IMG_1 copy.from my phone".
MOST_CHARACTERS = 10


def kind_of(path: str) -> str:
    """Return the lower-case extension of a path without its dot; "" if it tells nothing."""
    _, dot, last = path.rpartition(".")
    is_plain = last.isascii() and last.isalnum() and not last.isdigit()
    return last.lower() if dot and is_plain and len(last) <= MOST_CHARACTERS else ""
