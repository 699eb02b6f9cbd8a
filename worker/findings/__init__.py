"""What labels and hashes show: duplicates, representatives and outliers."""
