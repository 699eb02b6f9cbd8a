"""Finishing: findings and plots from the labels of all batches."""
