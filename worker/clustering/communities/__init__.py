"""Communities: clusters of any number, as densely linked parts of a graph of neighbours."""

from shoal.worker.clustering.communities.choice import NO_DIFFERENCE
from shoal.worker.clustering.communities.fit import fit_communities

__all__ = ["NO_DIFFERENCE", "fit_communities"]
