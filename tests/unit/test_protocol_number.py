"""The number of what programs of different versions agree on."""

from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.shared.store.keys import active
from shoal.shared.tasks import BATCHES, CALLBACKS, FIRST, KNOWN, PROTOCOL, QUEUES

# By protocol, the version of the rows that its workers make of images.
RESULTS_VERSIONS = {1: 3, 2: 3}


def test_all_workers_of_a_job_make_the_same_rows_of_its_images() -> None:
    assert RESULTS_VERSIONS[PROTOCOL] == RESULTS_VERSION, "raise PROTOCOL, and note its rows here"
    assert {RESULTS_VERSIONS[protocol] for protocol in KNOWN} == {RESULTS_VERSION}


def test_no_two_protocols_share_a_queue_or_a_list() -> None:
    names = [name for of_kind in QUEUES.values() for name in of_kind.values()]
    assert len(set(names)) == len(names)
    assert {BATCHES, CALLBACKS} <= set(names)
    # As programs have called them that know no numbers.
    assert QUEUES["batches"][FIRST] == "shoal.batches"
    assert QUEUES["callbacks"][FIRST] == "shoal.callbacks"
    assert active(FIRST) == "shoal:active"
    assert len(set(map(active, KNOWN))) == len(KNOWN)
