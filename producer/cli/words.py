"""The command line's own words for what messages name in Python's: parameters and methods."""

import re
from ast import literal_eval
from dataclasses import fields
from shlex import quote

from shoal.shared.jobs import JobRequest

CALL = re.compile(r"`client\.(?:job\('(\w+)'\)\.)?(\w+)\(([^`]*)\)`")
PARAMETER = re.compile(r"(\w+)(?:='?(\w+)'?)?")
# As of `shoal.undo('/home/me/Sorted')`: a function with a path.
FUNCTION = re.compile(r"`shoal\.(\w+)\(('[^`]*'|\"[^`]*\")\)`")
QUOTED = re.compile(rf"`{PARAMETER.pattern}`")
OPTIONS = {field.name for field in fields(JobRequest)} - {"source", "inputs"}
OPTIONS |= {
    "count",
    "failed_only",
    "force",
    "like",
    "max_distance",
    "mode",
    "out",
    "recipe",
    "sheet",
}
# Commands that have another name than their method.
COMMANDS = {"coordinates": "features --coordinates", "labels": "result"}


def in_commands(message: str) -> str:
    """Return a message with commands instead of calls, and options instead of parameters."""
    words = FUNCTION.sub(_quote_function, message)
    return QUOTED.sub(_quote_option, CALL.sub(_quote_command, words))


def _quote_function(call: re.Match[str]) -> str:
    return f"`shoal {call[1]} {quote(literal_eval(call[2]))}`"


def _quote_command(call: re.Match[str]) -> str:
    job_id, method, parameters = call.groups()
    options = map(_make_option, PARAMETER.finditer(parameters))
    words = ["shoal", COMMANDS.get(method, method), job_id, *options]
    return f"`{' '.join(filter(None, words))}`"


def _quote_option(parameter: re.Match[str]) -> str:
    return f"`{_make_option(parameter)}`" if parameter[1] in OPTIONS else parameter[0]


def _make_option(parameter: re.Match[str]) -> str:
    name, value = parameter[1].replace("_", "-"), parameter[2]
    return f"--{name}" if value in (None, "True") else f"--{name} {value}"
