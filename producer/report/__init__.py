"""The report of a job: one HTML file that opens anywhere, without a network."""

from shoal.producer.report.contents import Contents, read_contents
from shoal.producer.report.page import make_report, render_report

__all__ = ["Contents", "make_report", "read_contents", "render_report"]
