"""An option of a job is an option everywhere: whoever adds one is told where it is missing."""

import inspect
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

import shoal.producer.web
from shoal.producer.cli.main import main
from shoal.producer.client import Client
from shoal.producer.web.api.submission import Submission
from shoal.shared.jobs import DERIVED, Algorithm, JobRequest, Level, Recipe

WEB = Path(shoal.producer.web.__file__).parent
# Not those of a job that builds on another one: methods of that one give them.
OPTIONS = {field.name for field in fields(JobRequest)} - {*DERIVED, "inputs"} | {
    "force",
    "recipe",
}


def test_the_api_takes_every_option_and_no_other() -> None:
    assert set(Submission.model_fields) == OPTIONS


def test_python_takes_every_option_by_name_with_its_type_and_its_words() -> None:
    parameters = inspect.signature(Client.submit).parameters
    taken = {name for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
    assert taken == OPTIONS - {"source"}
    for name, kinds in (("recipe", Recipe), ("level", Level), ("algorithm", Algorithm)):
        words = get_args(get_args(parameters[name].annotation)[0])
        assert set(words) == set(kinds), name
    described = (Client.submit.__doc__ or "").partition("Args:")[2]
    assert all(f"\n            {name}: " in described for name in taken)


def test_what_python_hands_on_is_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: object() for name in OPTIONS - {"source"}}
    client: Any = SimpleNamespace(is_embedded=True, workers=SimpleNamespace(ensure_running=int))
    client.list_images = lambda _source, **selection: selection
    client.submit_listing = lambda selection, **options: selection | options
    submit: Any = Client.submit
    assert submit(client, "photos", **given) == given


def test_the_form_has_every_option_and_sends_it() -> None:
    form = (WEB / "templates/submission.html").read_text()
    named = re.findall(r'<(?:input|select)[^>]* name="(\w+)"|card\("(\w+)"', form)
    assert set(map("".join, named)) == OPTIONS
    script = (WEB / "static/options.js").read_text()
    assert set(re.findall(r"\w+", script)) >= OPTIONS


def test_the_command_line_has_every_option() -> None:
    for command in ("run", "submit"):
        assert {option.name for option in main.commands[command].params} >= OPTIONS
