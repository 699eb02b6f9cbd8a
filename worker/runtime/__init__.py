"""What a worker's processes work with: settings and store, signs of life, the order to end."""
