"""Image files: which may be read, and the rules for thumbnails that both sides follow."""
