"""difPy: images of a folder as tensors, each compared with each, also rotated."""

import difPy

from benchmarks.peers.scripts.outcome import PROCESSES, folder, print_outcome

if __name__ == "__main__":
    built = difPy.build(str(folder()), show_progress=False, processes=PROCESSES)
    # Copies of another size count, too, as they do for the others.
    search = difPy.search(
        built, similarity="similar", same_dim=False, show_progress=False, processes=PROCESSES
    )
    invalid = list(search.stats["invalid_files"]["logs"])
    pairs = [(name, other) for name, others in search.result.items() for other, _ in others]
    print_outcome(search.stats["total_files"] - len(invalid), pairs, invalid)
