"""The web page and the HTTP API, on top of the Python client."""
