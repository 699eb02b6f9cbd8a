"""Finishing: what the labels of all batches come to."""
