"""An option of a job is an option everywhere: whoever adds one is told where it is missing."""

import re
from dataclasses import fields
from pathlib import Path

import shoal.producer.web
from shoal.producer.cli.main import main
from shoal.producer.web.api.submission import Submission
from shoal.shared.jobs import DERIVED, JobRequest

WEB = Path(shoal.producer.web.__file__).parent
# Not those of a job that builds on another one: methods of that one give them.
OPTIONS = {field.name for field in fields(JobRequest)} - {*DERIVED} | {"force", "recipe"}


def test_the_api_takes_every_option_and_no_other() -> None:
    assert set(Submission.model_fields) == OPTIONS


def test_the_form_has_every_option_and_sends_it() -> None:
    form = (WEB / "templates/jobs.html").read_text()
    assert set(re.findall(r'<(?:input|select) name="(\w+)"', form)) == OPTIONS
    script = (WEB / "static/submission.js").read_text()
    assert set(re.findall(r"\w+", script)) >= OPTIONS


def test_the_command_line_has_every_option() -> None:
    for command in ("run", "submit"):
        assert {option.name for option in main.commands[command].params} >= OPTIONS
