"""What reports and the page share: templates, style, galleries and the larger view.

Files in ``static`` have no placeholders: the page serves them, and a report includes them.
"""

from shoal.producer.components.templates import STATIC, load_templates

__all__ = ["STATIC", "load_templates"]
