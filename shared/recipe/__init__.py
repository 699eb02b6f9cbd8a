"""The recipe of a job: what the producer estimates is what the worker computes."""
