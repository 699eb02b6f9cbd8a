"""Consumes: loads images, fits the model, labels, plots."""
