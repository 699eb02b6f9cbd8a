"""Whole jobs: the labels that scikit-learn finds, whatever the order of the work."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from benchmarks.photographs import make_photographs
from shoal.worker.images.loading import load_image

RECIPE = {"image_size": 32, "components": 2, "clusters": 5, "random_state": 0}


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    return make_photographs(tmp_path_factory.mktemp("photographs"), 300)


def labels_of(context, ledger):
    return {row.path: row.label for row in context.results(ledger.job_id).assignments()}


@pytest.mark.parametrize("folder", ["photographs", "digits"])
def test_the_recipe_gives_the_labels_of_scikit_learn(context, submit, run, folder, request):
    directory = request.getfixturevalue(folder)
    labels = labels_of(context, run(submit(directory, batch_size=64, **RECIPE)))
    pixels = [load_image(directory / path, 32, context.limits).ravel() for path in labels]
    scaled = StandardScaler().fit_transform(np.array(pixels))
    coordinates = PCA(n_components=2, random_state=0).fit_transform(scaled)
    expected = KMeans(n_clusters=5, random_state=0).fit_predict(coordinates)
    assert len(labels) == 300
    assert adjusted_rand_score(expected, list(labels.values())) == 1.0


def test_the_order_of_batches_changes_no_bit(context, submit, run, mixed):
    rows = set()
    for seed in (None, 1, 2):
        ledger = run(submit(mixed, batch_size=5, image_size=8, clusters=3), seed)
        results = context.results(ledger.job_id)
        rows.add((b"".join(results.labels()), results.model(), results.plots()["scatter"]))
    assert len(rows) == 1


def test_the_size_of_batches_changes_no_label(context, submit, run, mixed):
    found = [
        labels_of(context, run(submit(mixed, batch_size=size, image_size=8, clusters=3)))
        for size in (1, 7, 43)
    ]
    assert found[0] == found[1] == found[2]


def test_clusters_are_numbered_by_size(context, submit, run, mixed):
    ledger = run(submit(mixed, image_size=8, clusters=4))
    sizes = np.bincount(list(labels_of(context, ledger).values()))
    assert (np.diff(sizes) <= 0).all()
