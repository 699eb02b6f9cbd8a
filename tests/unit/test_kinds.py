"""Kinds of files: what is read, what is an image all the same, and what is said of the rest."""

from collections import Counter

import pytest
from PIL import Image

from shoal.producer.submission.listing import Listing
from shoal.shared.images.files import FORMATS
from shoal.shared.images.kinds import EXTRAS, READ, UNREAD, kind_of
from shoal.shared.jobs import LeftOut
from shoal.shared.wire import encode


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.JPG", "jpg"),
        ("trip/a.b.nef", "nef"),
        ("v1.2/notes", ""),
        ("scan.0001", ""),
        ("IMG_1.from my phone", ""),
        ("a.caf\udce9", ""),
        ("a.\x1b[31m", ""),
        ("a.abcdefghijk", ""),
        ("a.", ""),
    ],
)
def test_a_kind_is_a_plain_extension_in_lower_case(path, kind):
    assert kind_of(path) == kind


def test_no_kind_is_both_read_and_not():
    groups = [READ, UNREAD, *(extra.kinds for extra in EXTRAS)]
    every = frozenset().union(*groups)
    assert len(every) == sum(map(len, groups))
    assert all(kind_of(f"a.{kind}") == kind for kind in every)


def test_what_pillow_reads_in_the_formats_that_are_read_is_read():
    Image.init()
    known = {kind[1:] for kind, name in Image.registered_extensions().items() if name in FORMATS}
    assert known - {"pfm"} <= READ, "floating-point values: as bright as somebody wants them"


def sort(skipped, repeated=0, unreadable=()):
    return Listing("/p", ["a.jpg"], Counter(skipped), list(unreadable), repeated).left_out


def test_what_is_left_out_is_described_with_the_remedy_and_all_kinds():
    skipped = {"txt": 1200, "svg": 1, "xcf": 2, "mov": 1, "": 4}
    left_out = sort(skipped, 1, ["locked", "lost"])
    assert left_out.lines == [
        "3 images that Shoal cannot read: 2 xcf, 1 svg (convert to JPEG, PNG or TIFF)",
        "1,205 other files: 1,200 txt, 1 mov, 4 other",
        "1 link to what is listed already",
        "directories or links that cannot be read: 2",
    ]
    assert left_out.line == f"Left out: {'; '.join(left_out.lines)}."


def test_nothing_left_out_is_nothing_to_show():
    assert sort({}) == LeftOut()
    assert (LeftOut().lines, LeftOut().line) == ([], "")


def test_however_many_kinds_there_are_a_job_keeps_few_of_them():
    left_out = sort({f"x{n}": 1 for n in range(100_000)} | {"txt": 7, "xcf": 1})
    assert sum(left_out.files.values()) == 100_007
    assert left_out.files["txt"] == 7
    assert left_out.images == {"xcf": 1}
    assert len(encode(left_out)) < 1000
