"""The model of a job: scaling, principal components and clusters, fitted to features."""
