"""The results of a job as files."""
