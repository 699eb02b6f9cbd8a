"""The HTTP API: routes that answer with JSON, files and events."""
