"""The stages of a job: each reads the store, works on arrays, and commits to the store."""
