"""What a finished job found, read from where it is kept."""

from shoal.producer.results.catalogue import Catalogue
from shoal.producer.results.job_results import JobResults, check_finished, read_vectors

__all__ = ["Catalogue", "JobResults", "check_finished", "read_vectors"]
