"""The report of a job, and its parts: one HTML file that opens anywhere, without a network."""

from producer.report.page import make_report

__all__ = ["make_report"]
