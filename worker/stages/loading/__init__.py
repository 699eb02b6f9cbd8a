"""Loading: the images of a batch become features."""
