"""Submits and watches: the command line, the page and the Python client."""
