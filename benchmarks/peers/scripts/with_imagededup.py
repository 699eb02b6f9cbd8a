"""imagededup: perceptual hashes of a folder, and what is like what."""

from imagededup.methods import PHash

from benchmarks.peers.scripts.outcome import PROCESSES, folder, report_duplicates

if __name__ == "__main__":
    duplicates = PHash(verbose=False).find_duplicates(
        image_dir=folder(),
        recursive=True,
        num_enc_workers=PROCESSES,
        num_dist_workers=PROCESSES,
    )
    report_duplicates(len(duplicates), duplicates)
