import dataclasses
import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.shared.findings import Failure, FailureReason, Summary
from shoal.shared.jobs import JobRequest, State
from shoal.shared.wire import decode, encode


def test_a_model_survives_as_json():
    request = JobRequest(source="/日本", components=None, clusters=3)
    assert decode(encode(request), JobRequest) == request
    assert json.loads(encode(request))["clusters"] == 3


# Every string that os.fsdecode can return: a name is bytes, in whatever encoding.
@given(st.binary(max_size=50).map(lambda raw: raw.decode(errors="surrogateescape")))
def test_any_file_name_survives(name):
    failure = Failure(name, FailureReason.DAMAGED, name)
    raw = encode([failure])
    assert raw.isascii()
    assert b"\n" not in raw
    assert decode(raw, list[Failure]) == [failure]


def test_enumerations_are_their_words():
    assert encode([State.LOADING, FailureReason.NOT_AN_IMAGE]) == b'["loading","not-an-image"]'


def test_json_of_another_form_is_refused():
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"source": 1}', JobRequest)
    with pytest.raises(ValueError, match="Expecting"):
        decode(b"no json", JobRequest)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
fields = st.dictionaries(
    st.sampled_from([f.name for f in dataclasses.fields(JobRequest)]), json_values
)


@settings(max_examples=30)
@given(json_values | fields)
def test_any_other_json_is_a_model_or_a_value_error(value):
    raw = json.dumps(value)
    for model in (JobRequest, list[Failure], Summary):
        with suppress(ValueError):
            decode(raw, model)


@given(st.binary(max_size=100) | st.text(max_size=100))
def test_any_bytes_are_a_model_or_a_value_error(raw):
    with suppress(ValueError):
        decode(raw, JobRequest)


@pytest.mark.parametrize("raw", ["[" * 100_000, '{"source":' * 100_000, "9" * 10_000, b"\xff"])
def test_json_that_breaks_parsers_is_refused(raw):
    with pytest.raises(ValueError, match=r"nested|digits|decode"):
        decode(raw, JobRequest)
