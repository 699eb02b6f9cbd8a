"""The sheet of what was found: one PNG of the images with their ranks, distances and names."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from shoal.producer.results import Catalogue, JobResults
from shoal.shared.errors import (
    ShoalError,
    SourceError,
    SourceUnavailableError,
    UnreadableImageError,
    UsageError,
)
from shoal.shared.findings import Match
from shoal.shared.images.frames import scale_to_fit
from shoal.shared.images.isolation import IsolatedDecoder, make_order
from shoal.shared.images.thumbnails import (
    SHEET_COLUMNS,
    TILE_PIXELS,
    decode_ratio,
    read_ratios,
    sample_positions,
)
from shoal.shared.images.values import AGREED_NAME, ValueRanges
from shoal.shared.settings import Settings
from shoal.shared.store.images import JobImages
from shoal.shared.text import cut_path, show_controls

PREVIEW = "shoal.worker.images.preview:load_preview"
SIDE_PIXELS = 200
GAP_PIXELS = 12
TEXT_PIXELS = 13
LINE_PIXELS = 18
COLUMNS = 5
# A sheet of so many takes 160 MB of memory while it is drawn.
MOST_IMAGES = 1000
# Within matplotlib, whose import would take longer than the sheet. Pillow's own font has neither
# umlauts nor Greek or Cyrillic.
FONT = "mpl-data/fonts/ttf/DejaVuSans.ttf"
WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (224, 224, 224)
HAIRLINE = (208, 215, 222)


def draw_sheet(job: JobResults, matches: Sequence[Match], settings: Settings) -> bytes:
    """Draw a job's images that were found, row by row, the best first.

    An image is read from its file, within the limits that workers have, or shown by its thumbnail
    where the file is not on this machine.

    Returns:
        A PNG file.

    Raises:
        UsageError: There are no matches, or too many.
    """
    if not matches:
        raise UsageError("There is nothing to draw: no image was found.")
    if len(matches) > MOST_IMAGES:
        raise UsageError(
            f"A sheet shows at most {MOST_IMAGES:,} images, and these are {len(matches):,}: find"
            f" fewer, `count={MOST_IMAGES}`."
        )
    columns, rows = min(COLUMNS, len(matches)), -(-len(matches) // COLUMNS)
    width, height = SIDE_PIXELS + GAP_PIXELS, SIDE_PIXELS + 2 * LINE_PIXELS + GAP_PIXELS
    size = (columns * width + GAP_PIXELS, rows * height + GAP_PIXELS)
    sheet = Image.new("RGB", size, WHITE)
    pen, font = ImageDraw.Draw(sheet), load_font()
    for number, (match, picture) in enumerate(
        zip(matches, _load_pictures(job, matches, settings), strict=True)
    ):
        row, column = divmod(number, COLUMNS)
        left, top = GAP_PIXELS + column * width, GAP_PIXELS + row * height
        corner = left + (SIDE_PIXELS - picture.width) // 2, top + SIDE_PIXELS - picture.height
        sheet.paste(picture, corner)
        end = corner[0] + picture.width - 1, corner[1] + picture.height - 1
        pen.rectangle((corner, end), outline=HAIRLINE)  # white pictures are seen by it
        lines = (f"{match.rank}.  distance {match.distance:.4g}", shorten(match.path, font))
        for line, text in enumerate(lines):
            place = (left, top + SIDE_PIXELS + 2 + line * LINE_PIXELS)
            pen.text(place, text, fill=BLACK, font=font)
    stream = BytesIO()
    sheet.save(stream, "png")
    return stream.getvalue()


def load_font() -> ImageFont.FreeTypeFont:
    """Return a font with the letters of most European languages.

    Raises:
        ShoalError: matplotlib, a dependency, is not installed.
    """
    package = find_spec("matplotlib")
    if not package or not package.origin:
        raise ShoalError("Names are drawn with a font of matplotlib, which is missing: install it.")
    return ImageFont.truetype(Path(package.origin).parent / FONT, TEXT_PIXELS)


def shorten(path: str, font: ImageFont.FreeTypeFont) -> str:
    """Cut a path in its middle to what is not wider than a picture."""
    name = show_controls(path)
    most = min(len(name), 2 * SIDE_PIXELS)  # no two characters are narrower than a pixel
    while font.getlength(shown := cut_path(name, most)) > SIDE_PIXELS:
        most -= 1
    return shown


def _load_pictures(
    job: JobResults, matches: Sequence[Match], settings: Settings
) -> Iterator[Image.Image]:
    images = JobImages(job.results, job.status().request.source, settings)
    ranges = ValueRanges.from_text(job.ledger.agreed(AGREED_NAME))
    thumbnails = _Thumbnails(job)
    # In a process of its own: nothing that an image does to its decoder ends this one.
    with IsolatedDecoder(make_order(settings, PREVIEW, SIDE_PIXELS)) as decoder:
        for match in matches:
            try:
                jpeg = decoder.decode(images.read(match.path), ranges)
                yield Image.open(BytesIO(jpeg))
            except (UnreadableImageError, SourceError, SourceUnavailableError):
                yield thumbnails.find(match.path)


class _Thumbnails:
    """The thumbnails that a job keeps, for images whose files are elsewhere."""

    def __init__(self, job: JobResults) -> None:
        self._job = job
        self._catalogue = Catalogue(job.results)

    def find(self, path: str) -> Image.Image:
        """Return the thumbnail of an image, enlarged; grey if there is none."""
        batch, position = self._catalogue.find(path)
        shown = sample_positions(batch, len(self._job.results.paths(batch)), self._total)
        failed = {image.position for image in self._job.results.failed_images(batch)}
        tiles = [other for other in shown if other not in failed]
        try:
            sheet, place = self._job.results.thumbnails_of(batch), tiles.index(position)
            picture = Image.open(BytesIO(sheet))
        except (OSError, ShoalError, ValueError):
            return Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), GREY)
        row, column = divmod(place, SHEET_COLUMNS)
        left, top = column * TILE_PIXELS, row * TILE_PIXELS
        box = (left, top, left + TILE_PIXELS, top + TILE_PIXELS)
        ratio = decode_ratio(read_ratios(sheet, len(tiles))[place])
        size = scale_to_fit((round(1000 * ratio), 1000), SIDE_PIXELS)
        return picture.resize(size, Image.Resampling.BICUBIC, box)

    @property
    def _total(self) -> int:
        return self._job.status().images.total
