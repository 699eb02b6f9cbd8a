"""The notes of a model: what cannot be read is told in words of ours."""

import pytest

from shoal.shared.errors import UsageError
from shoal.worker.extractors.model_notes import ModelNotes, read_notes


@pytest.fixture
def write_notes(tmp_path):
    def write(text):
        (tmp_path / "model.json").write_text(text)
        return tmp_path / "model.onnx"

    return write


def test_notes_are_read(write_notes):
    model = write_notes('{"layout": "NCHW", "mean": [0.5, 0.4, 0.3], "pooling": "first"}')
    assert read_notes(model) == ModelNotes(layout="NCHW", mean=(0.5, 0.4, 0.3), pooling="first")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"layout": "NHCW"}', "layout must be NCHW or NHWC"),
        ('{"image_size": 0}', "image_size must be a whole number from 1 to 2048"),
        ('{"mean": [0.5, 0.5]}', "mean must be three numbers"),
        ('{"std": [0.5, 0.5, 0]}', "std must be three numbers above 0"),
        ('{"scale": "1/255"}', "scale must be above 0"),
        ('{"output": 1}', "output must be text"),
        ('{"pooling": "last"}', "pooling must be first or mean"),
        ("[]", "it must be a JSON object"),
        ("{layout}", "is not JSON"),
    ],
)
def test_notes_of_another_form_are_refused_in_words(write_notes, text, message):
    with pytest.raises(UsageError) as refusal:
        read_notes(write_notes(text))
    assert str(refusal.value).endswith(f"{message}.")
    assert "`" not in str(refusal.value)
