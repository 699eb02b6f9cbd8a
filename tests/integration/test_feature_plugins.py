"""Features that other packages bring: an example package, and packages with mistakes."""

import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.shared.errors import UsageError
from shoal.shared.recipe.features import choose_image_size, list_features
from shoal.worker.extractors import extract_blocks, find_extractor, find_extractors, plugins

EXAMPLE = Path(__file__).parent / "brightness_package"
IMAGES = np.stack([np.full((16, 16, 3), grey, np.uint8) for grey in (0, 10, 255)])

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package's metadata on the path, as pip would; its modules lie beside it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(package: str, entry_points: dict[str, str]) -> None:
        information = tmp_path / f"{package}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (information / "entry_points.txt").write_text("\n".join(["[shoal.features]", *lines]))

    return install


@pytest.fixture
def installed_example(install: Install, tmp_path: Path) -> None:
    project: dict[str, Any] = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copy(EXAMPLE / "shoal_brightness.py", tmp_path)
    install("shoal_brightness", project["entry-points"]["shoal.features"])
    sys.modules.pop("shoal_brightness", None)


@pytest.fixture
def install_source(install: Install, tmp_path: Path) -> Callable[[str, str], None]:
    """Installs a package of one module, with a function ``extract`` made of an expression."""

    def install_source(name: str, expression: str) -> None:
        source = f"import numpy as np\ndef extract(images):\n    return {expression}\n"
        (tmp_path / f"plugin_{name}.py").write_text(f"{source}extract.image_size = 8\n")
        install(f"plugin_{name}", {name: f"plugin_{name}:extract"})

    return install_source


def test_an_installed_package_s_features_are_listed_without_importing_it(
    installed_example: None,
) -> None:
    assert list_features()[-1] == "brightness"
    assert choose_image_size("hog+brightness") == 64
    assert "shoal_brightness" not in sys.modules


def test_an_installed_package_s_features_are_extracted_like_ours(installed_example: None) -> None:
    assert find_extractor("brightness").image_size == 16
    features, widths = extract_blocks(find_extractors("brightness+lbp"), IMAGES)
    assert widths == (2, 160)
    assert features[:, :2].tolist() == [[0, 0], [10, 0], [255, 0]]


def test_an_error_lists_an_installed_package_s_features(installed_example: None) -> None:
    with pytest.raises(UsageError, match=r"'bright'; there are .*, embedding, brightness"):
        find_extractor("bright")


def test_a_function_with_an_image_size_will_do(install_source: Callable[..., None]) -> None:
    install_source("corner", "images[:, 0, 0]")
    assert find_extractor("corner").image_size == 8
    features, _ = extract_blocks(find_extractors("corner"), IMAGES)
    assert features.dtype == np.uint8
    assert features[:, 0].tolist() == [0, 10, 255]


def test_what_else_decides_about_a_package_s_features_has_its_digest(
    install: Install, tmp_path: Path
) -> None:
    (tmp_path / "plugin_model.py").write_text(
        "from shoal.worker.extractors.extractor import Extractor\n"
        "extractor = Extractor('model', 8, lambda images: images[:, 0, 0], 'of its model')\n"
    )
    install("plugin_model", {"model": "plugin_model:extractor"})
    assert find_extractor("model").digest == "of its model"


def test_the_code_of_a_package_within_a_namespace_is_digested(
    install: Install, tmp_path: Path
) -> None:
    package = tmp_path / "shoal_namespace" / "plugin"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def extract(images): ...\nextract.image_size = 8\n")
    (package / "part.py").write_text("WEIGHT = 1\n")
    install("shoal_namespace", {"spaced": "shoal_namespace.plugin:extract"})
    before = find_extractor("spaced").code
    (package / "part.py").write_text("WEIGHT = 2\n")
    plugins._digest_code.cache_clear()  # another process
    assert find_extractor("spaced").code != before


def test_a_package_s_digest_is_read_again_for_every_batch(
    install_source: Callable[..., None],
) -> None:
    install_source("changing", "images[:, 0, 0]")
    assert find_extractors("changing+hog")[0].digest == ""
    sys.modules["plugin_changing"].extract.digest = "changed"
    assert find_extractors("changing+hog")[0].digest == "changed"


def test_ours_win_over_a_package_s_features_of_the_same_name(
    install_source: Callable[..., None],
) -> None:
    install_source("pixels", "images[:, 0, 0]")
    assert list_features().count("pixels") == 1
    assert find_extractor("pixels").extract(IMAGES).shape == (3, 768)


@pytest.mark.parametrize(
    ("name", "expression", "message"),
    [
        ("listed", "[0]", "gave list, not a NumPy array"),
        ("flat", "images[:, 0, 0, 0]", r"gave shape \(3,\), not \(3, n_features\)"),
        ("short", "images[1:, 0, 0]", r"gave shape \(2, 3\)"),
        ("empty", "np.empty((3, 0), np.float32)", r"gave shape \(3, 0\)"),
        ("wide", "images[:, 0, 0].astype(float)", "gave float64, not uint8 or float32"),
        ("infinite", "np.full((3, 2), np.inf, np.float32)", "gave numbers that are not finite"),
        ("raising", "1 / 0", "raised ZeroDivisionError"),
        ("writing", "images.sort()", "raised ValueError.*read-only"),
    ],
)
def test_features_that_break_the_contract_name_their_package(
    install_source: Callable[..., None], name: str, expression: str, message: str
) -> None:
    install_source(name, expression)
    with pytest.raises(UsageError, match=f"'{name}' of plugin_{name}:extract {message}"):
        extract_blocks(find_extractors(name), IMAGES)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:extract", "cannot be imported"),
        ("numpy:no_such_function", "cannot be imported"),
        ("numpy:sort", "neither an Extractor nor a function with an attribute image_size"),
        ("math:pi", "neither an Extractor nor a function"),
    ],
)
def test_what_is_no_extractor_is_refused(install: Install, value: str, message: str) -> None:
    install("broken", {"broken": value})
    with pytest.raises(UsageError, match=f"'broken' of {value} .*{message}"):
        find_extractor("broken")


def test_two_packages_with_features_of_one_name_are_refused(install: Install) -> None:
    install("first", {"same": "first:extract"})
    install("second", {"same": "second:extract"})
    with pytest.raises(UsageError, match="Two packages register features named 'same'"):
        list_features()
