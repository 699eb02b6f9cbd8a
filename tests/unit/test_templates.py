"""What holds for the templates of reports and pages alike."""

import pytest
from jinja2 import Environment, UndefinedError

from shoal.producer.report import page
from shoal.producer.web import rendering


@pytest.mark.parametrize("templates", [page.TEMPLATES, rendering.TEMPLATES])
def test_a_value_is_text_and_none_may_be_forgotten(templates: Environment) -> None:
    template = templates.from_string("{{ name }}")
    assert template.render(name="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        template.render()
