import inspect
import re

import pytest

from shoal.shared import errors
from shoal.shared.errors import ShoalError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.jobs import State
from shoal.shared.tasks import BATCH_TASK, CALLBACK_TASK


def test_three_states_are_final():
    final = {state for state in State if state.is_final}
    assert final == {State.FINISHED, State.FAILED, State.CANCELLED}


def test_states_and_reasons_are_plain_words():
    assert all(re.fullmatch("[a-z-]+", word) for word in [*State, *FailureReason])


def test_every_error_stands_in_the_tree():
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c is not FailureReason]
    assert all(issubclass(c, ShoalError) for c in classes)
    assert all(f"── {c.__name__} " in errors.__doc__ for c in classes if c is not ShoalError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.SourceError, ValueError),
        (errors.UnknownJobError, LookupError),
        (errors.UsageError, ValueError),
        (errors.WaitTimeoutError, TimeoutError),
    ],
)
def test_errors_are_those_of_python_too_and_say_what_they_say(error, builtin):
    with pytest.raises(builtin, match=r"^give a folder$"):
        raise error("give a folder")


def test_an_unreadable_image_keeps_reason_and_detail():
    error = UnreadableImageError(FailureReason.EMPTY, "0 bytes")
    assert (error.reason, error.detail, str(error)) == ("empty", "0 bytes", "empty: 0 bytes")


@pytest.mark.parametrize("names", [BATCH_TASK, CALLBACK_TASK])
def test_each_stage_has_tasks_of_its_own(names):
    assert len(set(names.values())) == 2
