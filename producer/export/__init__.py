"""What a job found, as files."""
