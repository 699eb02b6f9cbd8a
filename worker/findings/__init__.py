"""Findings from labels and hashes: duplicates, representatives and outliers."""
