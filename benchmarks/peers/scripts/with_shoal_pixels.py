"""Shoal: `shoal run --recipe tutorial`, as the other programs cluster; it finds duplicates, too."""

from benchmarks.peers.scripts.outcome import IMAGE_SIZE
from benchmarks.peers.scripts.shoal_run import run

if __name__ == "__main__":
    run("--recipe", "tutorial", "--image-size", str(IMAGE_SIZE))
