"""Search and recommendation: the images of a job that are like others, by their coordinates."""

from shoal.producer.search.projection import Workers
from shoal.producer.search.search import recommend_images, search_images

__all__ = ["Workers", "recommend_images", "search_images"]
