"""Image files: which may be read, and the rules for pictures that both sides follow."""
