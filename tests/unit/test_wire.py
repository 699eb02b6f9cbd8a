import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs import Failure, FailureReason, JobRequest, State
from shared.wire import decode, encode


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
