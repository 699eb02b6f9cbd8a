"""Other programs beside Shoal, on the same photographs and the same machine."""
