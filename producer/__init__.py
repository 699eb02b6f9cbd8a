"""Submits and watches: the command line and the Python client."""
