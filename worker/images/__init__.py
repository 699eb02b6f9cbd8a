"""Images: a file becomes pixels, within limits of bytes, pixels, memory and time."""
