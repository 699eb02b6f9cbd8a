"""What a job is like whose options are left out, and what a recipe makes of it."""

from collections import Counter
from typing import Any

import pytest

from shoal.producer.cli import run
from shoal.producer.submission import defaults
from shoal.producer.submission.defaults import choose_features, describe_lack
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.request import make_request
from shoal.shared.errors import UsageError
from shoal.shared.jobs import AUTO, DEFAULTS, Algorithm, JobRequest
from shoal.shared.recipe.features import choose_image_size

FOLDER = Listing("/photographs", [f"{n}.jpg" for n in range(9)], Counter(), [])
TUTORIAL = JobRequest(
    source="/photographs", features="pixels", image_size=32, components=2, clusters=5
)


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "NETWORK", "no_such_module")


def make(**options: Any) -> JobRequest:
    return make_request(FOLDER, options)


def test_by_default_a_network_compares_and_the_number_of_clusters_is_chosen() -> None:
    assert make() == JobRequest(source="/photographs")
    assert "embedding" in DEFAULTS.features
    assert (DEFAULTS.clusters, DEFAULTS.components) == (AUTO, None)
    assert describe_lack() == ""


def test_options_that_are_none_are_left_out() -> None:
    names = ("recipe", "features", "image_size", "components", "clusters", "algorithm")
    assert make(**dict.fromkeys(names), random_state=None, batch_size=None) == make()


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_algorithm_chooses_the_number_of_clusters_by_default(algorithm: Algorithm) -> None:
    request = make(algorithm=algorithm)
    assert (request.algorithm, request.clusters) == (algorithm, AUTO)


def test_the_recipe_of_the_tutorial_is_that_of_scikit_learn() -> None:
    assert make(recipe="tutorial") == TUTORIAL
    assert TUTORIAL.random_state == 0
    assert TUTORIAL.algorithm is Algorithm.KMEANS
    written_out = {"features": "pixels", "components": 2, "clusters": 5, "random_state": 0}
    assert make(**written_out) == TUTORIAL


def test_options_beside_a_recipe_count_more() -> None:
    assert make(recipe="tutorial", clusters=8).clusters == 8
    assert make(recipe="tutorial", random_state=3).random_state == 3
    hog = make(recipe="tutorial", features="hog")
    assert (hog.features, hog.image_size) == ("hog", choose_image_size("hog"))
    assert make(recipe="tutorial", algorithm="hdbscan").clusters == AUTO


@pytest.mark.parametrize("recipe", ["cake", "", 5, ["tutorial"]])
def test_an_unknown_recipe_is_refused_with_those_there_are(recipe: object) -> None:
    with pytest.raises(UsageError, match="`recipe`: Expected tutorial"):
        make(recipe=recipe)


def test_where_no_network_can_run_pixels_are_compared(without_network: None) -> None:
    request = make()
    assert choose_features() == "pixels"
    assert (request.features, request.image_size, request.clusters) == ("pixels", 32, AUTO)
    assert make(features="embedding").features == "embedding"  # a worker says what it lacks
    lack = describe_lack()
    assert lack.count("\n") == 0
    assert "pip install no_such_module" in lack


@pytest.mark.parametrize(("features", "is_advised"), [("pixels", True), ("pixels+hog", False)])
def test_a_run_with_pixels_ends_with_what_sees_more(
    capsys: pytest.CaptureFixture[str], features: str, is_advised: bool
) -> None:
    run._print_advice(features)
    told = capsys.readouterr().out
    assert (f"--features {DEFAULTS.features}\n" in told) is is_advised


def test_where_no_network_can_run_the_advice_begins_with_its_installation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "can_embed", lambda: False)
    run._print_advice("pixels")
    assert capsys.readouterr().out.endswith(", after pip install onnxruntime\n")
