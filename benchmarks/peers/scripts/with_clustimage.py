"""clustimage: `fit_transform` of a folder, with the tutorial's size, components and KMeans.

It takes no fixed number of clusters: of at least 5 and at most 6, it chooses one.
"""

from clustimage import Clustimage

from benchmarks.peers.scripts.outcome import (
    IMAGE_SIZE,
    N_CLUSTERS,
    PROCESSES,
    folder,
    report_labels,
)

if __name__ == "__main__":
    program = Clustimage(
        method="pca",
        embedding=None,
        dim=(IMAGE_SIZE,) * 2,
        params_pca={"n_components": 2},
        ncores=PROCESSES,
        verbose="warning",
    )
    results = program.fit_transform(
        str(folder()), cluster="kmeans", min_clust=N_CLUSTERS, max_clust=N_CLUSTERS + 1
    )
    report_labels([str(path) for path in results["pathnames"]], results["labels"])
