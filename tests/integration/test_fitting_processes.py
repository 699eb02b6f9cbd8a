"""The fit in processes of their own: the same bits, whatever they have to fit with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from crops import fit, hash_model, make_crops
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

PROGRAM = """
import os, sys
if sys.argv[1] == "one core" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from crops import hash_model
if sys.argv[1] == "forked":
    import numpy, sklearn.cluster
    numpy.ones((2000, 2000)) @ numpy.ones((2000, 2000))
    sklearn.cluster.KMeans(3).fit(numpy.random.rand(5000, 9))
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(hash_model(), flush=True)
"""


REST = (("plain", "1"), ("one core", "4"), ("forked", "1"))


@pytest.mark.parametrize(
    ("process", "threads"),
    [
        *(("plain", "4"), ("one core", "1"), ("forked", "4")),
        *(pytest.param(*rest, marks=pytest.mark.soak) for rest in REST),
    ],
)
def test_the_model_is_the_same_whatever_the_threads_and_cores(process: str, threads: str) -> None:
    support = Path(__file__).parents[1] / "support"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, process],
        env=os.environ
        | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        | {"PYTHONPATH": str(support)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == hash_model()


def test_the_recipe_gives_the_labels_of_scikit_learn_on_thousands_of_rows() -> None:
    rows = make_crops(3000)
    scaled = StandardScaler().fit_transform(rows.astype(float))
    coordinates = PCA(n_components=2, random_state=0).fit_transform(scaled)
    expected = KMeans(n_clusters=5, random_state=0).fit_predict(coordinates)
    assert adjusted_rand_score(expected, fit(rows).label(rows).labels) == 1
