"""Ray Data: `read_images` with a size, then the tutorial's steps."""

import numpy as np
import ray

from benchmarks.peers.scripts.outcome import (
    IMAGE_SIZE,
    PROCESSES,
    cluster,
    folder,
    report_labels,
)

if __name__ == "__main__":
    ray.init(num_cpus=PROCESSES, include_dashboard=False, logging_level="error")
    images = ray.data.read_images(
        str(folder()), size=(IMAGE_SIZE,) * 2, mode="RGB", include_paths=True
    )
    batches = list(images.iter_batches(batch_format="numpy"))
    pixels = np.concatenate([batch["image"] for batch in batches])
    paths = [str(path) for batch in batches for path in batch["path"]]
    report_labels(paths, cluster(pixels.reshape(len(pixels), -1)))
