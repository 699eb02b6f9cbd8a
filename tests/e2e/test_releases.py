"""What is published of a version, and that nothing else is."""

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SBOM = (sys.executable, ROOT / ".ci" / "sbom.py")
MODEL = ROOT / "worker/extractors/models/efficientnet-lite2-int8.onnx"
VERSION = version("shoal")
IDENTITY = {
    f"GIT_{who}_{what}": "t@e.st" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def find_component(sbom: dict[str, Any], name: str) -> dict[str, Any]:
    components: list[dict[str, Any]] = sbom["components"]
    (found,) = (component for component in components if component["name"] == name)
    return found


def test_the_list_of_parts_has_packages_and_the_model_with_licences_and_checksums(
    tmp_path: Path,
) -> None:
    subprocess.run([*SBOM, tmp_path / "sbom.json"], check=True)
    sbom = json.loads((tmp_path / "sbom.json").read_text())
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["version"]) == ("CycloneDX", VERSION)
    celery = find_component(sbom, "celery")
    assert celery["version"] == version("celery")
    assert celery["licenses"] == [{"license": {"name": "BSD-3-Clause"}}]
    # The image has the web extra, and nothing of the tests.
    assert find_component(sbom, "uvicorn")
    assert {"pytest", "axe-playwright-python", "pillow-heif"}.isdisjoint(
        component["name"] for component in sbom["components"]
    )
    model = find_component(sbom, MODEL.stem)
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert model["hashes"][0]["content"] == sha256(MODEL.read_bytes()).hexdigest()


class Checkout:
    """A copy of this checkout, with a history of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        listed = self.call("git", "ls-files", "-z", directory=ROOT).stdout
        for name in filter(None, listed.split("\0")):
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
        self.call("git", "init", "--quiet")
        self.commit()

    def call(self, *command: object, directory: Path | None = None) -> Any:
        tools = {"PYTHON": sys.executable, "UV": str(Path(sys.executable).with_name("uv"))}
        return subprocess.run(
            [*map(str, command)],
            cwd=directory or self.directory,
            env=os.environ | IDENTITY | tools,
            capture_output=True,
            text=True,
            check=False,
        )

    def commit(self) -> None:
        for words in (("add", "-A"), ("commit", "--quiet", "-m", "Change")):
            assert self.call("git", *words).returncode == 0

    def release(self) -> tuple[int, str]:
        done = self.call(".ci/release")
        return done.returncode, done.stderr

    def date_changelog(self) -> None:
        """Give the changelog the section of this version."""
        changelog = self.directory / "CHANGELOG.md"
        lines = [
            x for x in changelog.read_text().splitlines() if not x.startswith(f"## [{VERSION}]")
        ]
        changelog.write_text("\n".join([*lines, f"## [{VERSION}] - {date.today()}\n"]))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no history of this checkout")
def test_a_release_is_of_one_version_in_tag_package_and_changelog(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    assert checkout.release() == (
        1,
        f"No release: this commit is not tagged v{VERSION}, the version in pyproject.toml.\n",
    )
    checkout.date_changelog()
    checkout.call("git", "tag", f"v{VERSION}")
    assert checkout.release() == (1, "No release: there are changes that are not committed.\n")
    checkout.commit()
    assert "is not tagged" in checkout.release()[1]
    checkout.call("git", "tag", "--force", f"v{VERSION}")
    code, errors = checkout.release()
    assert (code, errors) == (0, "")
    dist = checkout.directory / "dist"
    wheel, archive = f"shoal-{VERSION}-py3-none-any.whl", f"shoal-{VERSION}.tar.gz"
    names = {wheel, archive, f"shoal-{VERSION}.cdx.json", "SHA256SUMS"}
    assert {path.name for path in dist.iterdir()} == names
    assert checkout.call("sha256sum", "-c", "SHA256SUMS", directory=dist).returncode == 0
