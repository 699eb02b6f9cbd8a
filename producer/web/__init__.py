"""The page: jobs in a browser and over HTTP, on top of the Python client."""
