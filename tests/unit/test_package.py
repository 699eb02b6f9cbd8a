"""The package as `import shoal` shows it."""

import pydoc
import subprocess
import sys
from importlib.resources import files

import pytest

import shoal
from shoal.producer.client import Client
from shoal.producer.job import Job
from shoal.producer.organizing import undo
from shoal.shared import errors
from shoal.worker.prediction import Model


def test_the_public_names_are_the_client_its_jobs_their_models_and_the_errors() -> None:
    raised = {name for name, value in vars(errors).items() if _is_error(value)}
    assert set(shoal.__all__) == {"Client", "Job", "Model", "undo"} | raised
    assert shoal.Client is Client
    assert shoal.Job is Job
    assert shoal.Model is Model
    assert shoal.undo is undo
    assert all(getattr(shoal, name) is getattr(errors, name) for name in raised)
    assert set(shoal.__all__) <= set(dir(shoal))


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, errors.ShoalError)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'shoal' has no attribute 'Cluster'"):
        _ = shoal.Cluster


def test_its_help_shows_client_and_job() -> None:
    text = pydoc.plain(pydoc.render_doc(shoal))
    assert "class Client(" in text
    assert "class Job(" in text


def test_it_is_typed_and_imports_nothing_before_it_is_used() -> None:
    assert (files(shoal) / "py.typed").is_file()
    code = "import sys, shoal; assert not {'redis', 'celery', 'msgspec'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
