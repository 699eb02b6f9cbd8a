"""Shoal: `shoal run`, which is to say with the vectors of its network."""

from benchmarks.peers.scripts.shoal_run import run

if __name__ == "__main__":
    run()
