"""What a model says of how its rows were made."""

import json

import pytest

from shoal.shared.images.values import ValueRanges
from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.worker.model.provenance import Provenance

DEEP = ValueRanges((0, 4095), None)
AGREED = {"embedding": "a1", "brightness-code": "c1", "values": DEEP.to_text()}


def test_it_says_what_the_workers_of_a_job_agreed_on() -> None:
    noted = Provenance().note("hdbscan", AGREED)
    assert noted == Provenance(
        results_version=RESULTS_VERSION,
        algorithm="hdbscan",
        digests={"embedding": "a1"},
        codes={"brightness": "c1"},
        value_ranges=DEEP,
    )


def test_what_a_job_does_not_note_is_as_in_the_job_whose_model_it_uses() -> None:
    before = Provenance().note("kmeans", AGREED)
    assert before.note("kmeans", {}) == before
    after = before.note("kmeans", {"embedding": "a2", "values": ValueRanges((0, 255)).to_text()})
    assert after.digests == {"embedding": "a2"}
    assert after.codes == {"brightness": "c1"}
    assert after.value_ranges == ValueRanges((0, 255))


def test_it_survives_its_text_which_is_json_that_anybody_reads() -> None:
    noted = Provenance().note("kmeans", AGREED)
    assert Provenance.from_text(noted.to_text()) == noted
    assert json.loads(noted.to_text())["value_ranges"] == {"integers": [0, 4095], "floats": None}


def test_no_text_says_nothing() -> None:
    assert Provenance.from_text("") == Provenance()
    assert Provenance().value_ranges == ValueRanges()


@pytest.mark.parametrize("text", ["{", "[]", '{"results_version": "two"}'])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Provenance.from_text(text)
