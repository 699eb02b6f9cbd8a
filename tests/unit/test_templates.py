"""What holds for the templates of reports and pages alike."""

import re

import pytest
from jinja2 import Environment, UndefinedError

from shoal.producer.components import STATIC
from shoal.producer.report import page
from shoal.producer.web import rendering
from shoal.shared.palette import COLOURS, DARK_COLOURS, DARK_GREYS, GREYS, REST
from shoal.shared.text import cut_middle, cut_path

both = pytest.mark.parametrize("templates", [page.TEMPLATES, rendering.TEMPLATES])


@both
def test_a_value_is_text_and_none_may_be_forgotten(templates: Environment) -> None:
    template = templates.from_string("{{ name }}")
    assert template.render(name="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        template.render()


@both
def test_a_file_that_the_page_serves_is_the_same_within_a_report(templates: Environment) -> None:
    files = [path for path in STATIC.iterdir() if path.is_file()]
    assert {"style.css", "view.js"} <= {path.name for path in files}
    for path in files:
        assert templates.get_template(path.name).render().strip() == path.read_text().strip()


@both
def test_a_picture_is_shown_with_its_whole_path_and_a_name_cut_in_the_middle(
    templates: Environment,
) -> None:
    path = f"kitchen/{'n' * 10}-{'n' * 50}<1>.jpeg"
    template = templates.from_string(
        '{% from "gallery.html" import picture %}'
        '{{ picture(src, path, "+4 copies", note, full=full) }}'
    )
    shown = template.render(src="/1", path=path, full="/large", note=f"also one/{'m' * 60}.jpeg")
    assert f">also one/<wbr>{'m' * 14}…<wbr>{'m' * 19}.jpeg</small>" in shown
    whole = path.replace("<", "&lt;").replace(">", "&gt;")
    assert (
        f'<figcaption title="{whole}"><bdi>nnnnnnnnnn-<wbr>nnnn…<wbr>nnnnnnnn&lt;1&gt;.jpeg</bdi>'
        in shown
    )
    assert f'data-path="{whole}"' in shown
    assert '<a class="frame" href="/large" data-enlarge><img src="/1"' in shown
    assert '<p class="badge">+4 copies</p>' in shown
    assert '<button class="frame"' in template.render(src="/1", path=path, full="", note="")
    assert "data-enlarge" not in template.render(src="", path=path, full="", note="")


def test_the_style_has_the_colours_of_the_palette_for_both_schemes() -> None:
    light, dark = (STATIC / "style.css").read_text().split("@media", 2)[:2]
    for style, colours, greys in (
        (light, COLOURS, GREYS),
        (dark, DARK_COLOURS, DARK_GREYS),
    ):
        numbered = {**dict(enumerate(colours)), -1: greys[0], REST: greys[1]}
        assert dict(re.findall(r"--c(-?\d+): (#\w+);", style)) == {
            str(number): colour for number, colour in numbered.items()
        }


@pytest.mark.parametrize(
    ("name", "most", "shown"),
    [
        ("short.jpg", 9, "short.jpg"),
        ("a long name.jpg", 9, "a lo….jpg"),
        ("x" * 4_000 + ".tiff", 11, "xxxxx….tiff"),
        ("aaaa\u0301bbbb", 6, "aa…bbb"),
        ("aae\u0301b", 4, "a…b"),
    ],
)
def test_a_long_name_loses_its_middle_and_keeps_its_extension(
    name: str, most: int, shown: str
) -> None:
    assert cut_middle(name, most) == shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a/b/short.jpg", "a/b/short.jpg"),
        ("summer/day 1/IMG_0001.jpg", "su…y 1/IMG_0001.jpg"),
        ("summer/a long name at sea.jpg", "a long na…t sea.jpg"),
        ("a folder/seventeen char.jpg", "seventeen char.jpg"),
    ],
)
def test_a_long_path_loses_of_its_folders_before_its_name(path: str, shown: str) -> None:
    assert cut_path(path, 19) == shown
