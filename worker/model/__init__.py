"""The model of a job: scaling, principal components and centroids, fitted to features."""
