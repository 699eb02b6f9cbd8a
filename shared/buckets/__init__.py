"""Buckets: connections to object storage, and what its answers mean."""
