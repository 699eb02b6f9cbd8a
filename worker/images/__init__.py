"""Images: from a file to pixels, within limits of bytes, pixels, memory and time."""
