"""Duplicates to act on: which image of each group to keep, and where the others go."""
