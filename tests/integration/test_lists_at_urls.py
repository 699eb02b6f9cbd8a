"""Lists of images that a web server has, and what they may lead to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web_files import FileServer

from shoal.producer.submission.inputs import Selection, read_sources
from shoal.producer.submission.listing import Listing
from shoal.shared.errors import OptionError, SourceError
from shoal.shared.settings import Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    server = FileServer(tmp_path_factory.mktemp("nginx"))
    yield server
    server.stop()


@pytest.fixture
def read(server: FileServer) -> Callable[..., Listing]:
    """Writes a list to the server, and reads it from there."""

    def read(name: str, content: str, column: str | None = None) -> Listing:
        (server.files / name).write_text(content)
        settings = Settings(image_urls=(server.url,))
        return read_sources([f"{server.url}/{name}"], settings, Selection(column=column))

    return read


def test_lines_are_relative_to_the_url_of_the_list(
    server: FileServer, read: Callable[..., Listing]
) -> None:
    listing = read("list.txt", f"a.jpg\r\n2019/b.png\n{server.url}/c.webp\nnotes.doc\n")
    assert (listing.source, listing.inputs) == (server.url, (f"{server.url}/list.txt",))
    assert list(listing.paths) == ["2019/b.png", "a.jpg", "c.webp"]
    assert listing.skipped == {"doc": 1}


def test_a_column_of_a_table_is_read_and_errors_name_the_url(
    server: FileServer, read: Callable[..., Listing]
) -> None:
    table = "one,two\na.jpg,b.jpg\n"
    assert list(read("list.csv", table, "two").paths) == ["b.jpg"]
    with pytest.raises(OptionError, match=f"{server.url}/list.csv has no column three"):
        read("list.csv", table, "three")


def test_no_list_of_another_machine_leads_to_a_file_or_a_host_that_is_not_allowed(
    server: FileServer, read: Callable[..., Listing], tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(SourceError, match="A list at a URL has no files"):
        read("list.txt", f"file://{tmp_path}/a.jpg\n")
    with pytest.raises(SourceError, match="begins with none of SHOAL_IMAGE_URLS"):
        read("list.txt", "http://169.254.169.254/latest/a.jpg\n")
    listing = read("list.txt", f"{tmp_path}/a.jpg\n")
    assert (listing.source, list(listing.paths)) == (f"{server.url}{tmp_path}", ["a.jpg"])


def test_a_list_that_is_not_there_is_named(server: FileServer) -> None:
    settings = Settings(image_urls=(server.url,))
    with pytest.raises(SourceError, match=f"{server.url}/gone.txt cannot be read"):
        read_sources([f"{server.url}/gone.txt"], settings)
