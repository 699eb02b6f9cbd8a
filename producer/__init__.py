"""Submits and follows jobs: the command line, the web page and the Python client."""
