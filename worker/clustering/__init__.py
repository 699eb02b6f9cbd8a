"""Clusters among the principal components of images: an algorithm a module."""
