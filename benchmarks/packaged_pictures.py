"""Labelled pictures from packages of Debian and npm whose folders or names tell what they show.

Landscapes, furniture, clip art, stamps, game art and emoji: photographs, renderings and drawings
of free licences that were made for something else than research.
"""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar
from zipfile import ZipFile

from PIL import Image

from benchmarks.packages import member, npm_package, unpacked_debian
from benchmarks.views import take_views

Item = TypeVar("Item")
Labelled = tuple[str, Image.Image]

FEWEST_OF_A_CLASS = 8
MOST_OF_A_CLASS = 90
LARGEST = 512  # pixels of the longer side

SPACE = "endless-sky-data"
SPACE_FOLDERS = ("asteroid", "land", "outfit", "planet", "projectile", "ship")
# The other names of landscapes are those of photographers.
LANDSCAPE = re.compile(
    "badlands|beach|canyon|city|desert|dune|fields|fog|forest|hills|lava|mountain|sea|sky|snow"
    "|space|valley|water"
)
FURNITURE = "sweethome3d-furniture"
NO_ROOMS = frozenset({"Miscellaneous", "Staircases"})
CLIP_ART = "openclipart-png"
CLIP_ART_FOLDERS = (
    *("animals", "buildings", "food", "geography", "office", "people", "plants"),
    *("recreation/music", "recreation/sports", "tools", "transportation"),
)
CLIP_ART_BYTES = 1_000_000  # the few larger ones have up to 620 million pixels
STAMPS = "tuxpaint-stamps-default"
FANTASY = "wesnoth-1.16-data"
EMOJI_NAMES = "emoji-datasource-google@16.0.0"
EMOJI_3D = "@lobehub/fluent-emoji-3d@1.1.0"
SCENES = ("mate-backgrounds", "ukui-wallpapers", "lomiri-wallpapers")
DRAWN_SCENES = re.compile(
    r"/mate/(abstract|desktop)/(?!Elephants\.)|default|generation|fluent|focal"
)
VIEWS_OF_A_SCENE = 30


def landscapes() -> Iterator[Labelled]:
    """Yield photographs of landscapes, by kind, from the game Endless Sky."""
    with unpacked_debian(SPACE) as root:
        files = [
            (kind[0], path)
            for path in sorted(root.rglob("images/land/*.jpg"))
            if (kind := LANDSCAPE.match(path.name))
        ]
        yield from opened(some_of_each(files))


def space_game(most: int = MOST_OF_A_CLASS) -> Iterator[Labelled]:
    """Yield what the game Endless Sky shows: ships, outfits, planets, photographs and more."""
    with unpacked_debian(SPACE) as root:
        yield from opened(some_of_each(in_folders(root, "images", SPACE_FOLDERS), most))


def furniture() -> Iterator[Labelled]:
    """Yield renderings of furniture of Sweet Home 3D, by the room where it stands."""
    with unpacked_debian(FURNITURE) as root:
        for catalogue in sorted(root.rglob("*.sh3f")):
            with ZipFile(catalogue) as files:
                text = files.read("PluginFurnitureCatalog.properties").decode("latin-1")
                entries = dict(re.findall(r"^(\w+#\d+)=(.*?)\s*$", text, re.MULTILINE))
                rooms = [
                    (room, entries[key.replace("category", "icon")].lstrip("/"))
                    for key, room in entries.items()
                    if key.startswith("category#") and room not in NO_ROOMS
                ]
                for room, icon in rooms:
                    yield room, small(Image.open(files.open(icon)))


def clip_art(most: int = MOST_OF_A_CLASS) -> Iterator[Labelled]:
    """Yield drawings of the Open Clip Art Library, by subject."""
    with unpacked_debian(CLIP_ART) as root:
        files = [
            (label, path)
            for label, path in in_folders(root, "png", CLIP_ART_FOLDERS)
            if path.stat().st_size < CLIP_ART_BYTES
        ]
        yield from opened(some_of_each(files, most))


def stamps() -> Iterator[Labelled]:
    """Yield stamps of Tux Paint, photographs and drawings, by subject."""
    with unpacked_debian(STAMPS) as root:
        files = [
            ("-".join(path.relative_to(stamp_root).parts[:-1][:2]), path)
            for stamp_root in root.rglob("stamps")
            for path in sorted(stamp_root.rglob("*.png"))
            if not path.stem.endswith("_mirror")
        ]
        yield from opened(some_of_each(files))


def portraits() -> Iterator[Labelled]:
    """Yield painted portraits of the game The Battle for Wesnoth, by people."""
    with unpacked_debian(FANTASY) as root:
        yield from opened(some_of_each(in_folders(root, "core/images/portraits")))


def units() -> Iterator[Labelled]:
    """Yield the small figures of the game The Battle for Wesnoth, by people."""
    with unpacked_debian(FANTASY) as root:
        yield from opened(some_of_each(in_folders(root, "core/images/units"), 50))


def emoji_3d() -> Iterator[Labelled]:
    """Yield renderings of Microsoft's Fluent emoji, by subcategory, 40 at most of each."""
    with npm_package(EMOJI_NAMES) as names, npm_package(EMOJI_3D) as package:
        known = json.load(member(names, "package/emoji.json"))
        have = set(package.getnames())
        files = [
            (entry["subcategory"], name)
            for entry in known
            if (name := f"package/assets/{entry['unified'].lower()}.webp") in have
        ]
        sizes = Counter(label for label, _ in files)
        common = [(label, name) for label, name in files if sizes[label] >= 20]
        for label, name in some_of_each(common, 40):
            yield label, small(Image.open(member(package, name)))


def scenes() -> Iterator[Labelled]:
    """Yield views of the photographs among some wallpapers: a class is one photograph."""
    for package in SCENES:
        with unpacked_debian(package) as root:
            for path in sorted((root / "usr/share/backgrounds").rglob("*.*g")):
                if not DRAWN_SCENES.search(str(path)) and not path.is_symlink():
                    with Image.open(path) as picture:
                        views = take_views(picture, VIEWS_OF_A_SCENE, random_state=len(path.name))
                        yield from ((path.stem, view) for view in views)


def in_folders(
    root: Path, under: str, folders: Sequence[str] | None = None
) -> list[tuple[str, Path]]:
    """Return the pictures below ``under``, each with the name of its folder there."""
    (start,) = (path for path in root.rglob(under) if path.is_dir())
    chosen = folders or sorted(path.name for path in start.iterdir() if path.is_dir())
    return [
        (folder.replace("/", "-"), path)
        for folder in chosen
        for path in sorted((start / folder).rglob("*.*"))
        if path.suffix in {".png", ".jpg", ".webp"}
    ]


def some_of_each(
    labelled: Iterable[tuple[str, Item]], most: int = MOST_OF_A_CLASS
) -> Iterator[tuple[str, Item]]:
    """Yield at most ``most`` of each class, drawn at random; classes with too few are left out."""
    classes: dict[str, list[Item]] = defaultdict(list)
    for label, item in labelled:
        classes[label].append(item)
    for label, items in classes.items():
        if len(items) >= FEWEST_OF_A_CLASS:
            drawn = random.Random(label).sample(items, min(most, len(items)))
            yield from ((label, item) for item in drawn)


def opened(files: Iterable[tuple[str, Path]]) -> Iterator[Labelled]:
    """Yield the pictures of files."""
    for label, path in files:
        with Image.open(path) as picture:
            yield label, small(picture)


def small(picture: Image.Image) -> Image.Image:
    """Return a picture of at most ``LARGEST`` pixels, with its transparency."""
    colours = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    colours.thumbnail((LARGEST, LARGEST))
    return colours
