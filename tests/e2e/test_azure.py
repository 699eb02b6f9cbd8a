"""Images and shards in containers of Azure."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from azure_server import install_azurite, make_container, running_azurite
from obstore.store import AzureStore
from shoal_command import Shoal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def azure(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    try:
        program = install_azurite(pytestconfig.cache.mkdir("azurite"))
    except FileNotFoundError:
        pytest.skip("npm is not installed, which has Azurite")
    except subprocess.SubprocessError as error:
        pytest.skip(f"Azurite cannot be installed here: {error}")
    with running_azurite(program, tmp_path_factory.mktemp("azurite")) as variables:
        yield variables


def test_images_in_a_container_are_clustered_as_those_in_a_folder(
    azure: dict[str, str], photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in azure.items():
        monkeypatch.setenv(name, value)
    for name in ("photographs", "shards"):
        make_container(azure, name)
    store = AzureStore("photographs", client_options={"allow_http": True})
    for path in photographs.rglob("*.jpg"):
        obstore.put(store, path.relative_to(photographs).as_posix(), path.read_bytes())
    shoal = Shoal(tmp_path / "home", SHOAL_SHARDS_URL="az://shards/shoal")
    for source, out in ((photographs, "folder"), ("az://photographs", "container")):
        shoal.output("run", source, "--out", tmp_path / out)
    labels = [(tmp_path / out / "labels.csv").read_text() for out in ("folder", "container")]
    assert labels[0] == labels[1]
    shard_store = AzureStore("shards", client_options={"allow_http": True})
    assert obstore.list(shard_store).collect()


def test_what_a_container_refuses_is_told_with_its_remedy(
    azure: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in azure.items():
        monkeypatch.setenv(name, value)
    missing = Shoal(tmp_path / "home").run("submit", "az://nowhere")
    assert (missing.returncode, "there is no such" in missing.stderr) == (2, True)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")
    denied = Shoal(tmp_path / "home").run("submit", "az://photographs")
    assert denied.returncode == 2
    assert "cannot be listed with these credentials" in denied.stderr
    assert "d3Jvbmc=" not in denied.stderr
