"""What a submission can be given: a kind of input each, and what they find."""

from shoal.producer.submission.inputs.reading import Selection, read_sources

__all__ = ["Selection", "read_sources"]
