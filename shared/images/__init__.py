"""Image files: which may be read, and what producer and worker agree on of their thumbnails."""
