"""Algorithms: what finds clusters among the principal components of images."""

from shoal.worker.algorithms.clustering import Clustering

__all__ = ["Clustering"]
