"""Redis: how to connect to it, and the commands that Shoal uses."""
