"""Whose requests are answered, and how often."""
