"""Clusters among the principal components of images: one module per algorithm."""
