"""Where images are: what a job's paths are relative to, and where their bytes are."""
